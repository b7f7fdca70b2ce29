import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus } from "../../src/relay/gen/grpc/health/v1/health_pb.ts";
import { dialects, nameOf, transportFor } from "./protocols.ts";
import { call, openSession, openStream, subscribe } from "./raw-client.ts";
import { startRelay } from "./relay.ts";
import { framed, someKey } from "./wire.ts";

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus;
const checkPath = "/grpc.health.v1.Health/Check";
const known = ["", "cunicu.signaling.Signaling", "cunicu.signaling.RelayRegistry", "wice.v1.Relay"];

describe.each(dialects.map((dialect) => ({ dialect, name: nameOf(dialect) })))("health in $name", ({ dialect }) => {
  test("is asked for once: the relay as a whole, each of its services, and no other", async () => {
    const relay = await startRelay();
    const client = createClient(Health, transportFor(dialect, relay.url));
    for (const service of known) expect((await client.check({ service })).status).toBe(SERVING);
    await expect(client.check({ service: "cunicu.signaling" })).rejects.toMatchObject({ code: Code.NotFound });
  });

  test("is watched until the relay stops, which is said before the stream ends", async () => {
    const relay = await startRelay();
    const client = createClient(Health, transportFor(dialect, relay.url));
    const watches = await Promise.all(
      ["", "no.such.Service"].map(async (service) => {
        const answers = client.watch({ service })[Symbol.asyncIterator]();
        return { answers, first: (await answers.next()).value?.status };
      }),
    );
    expect(watches.map(({ first }) => first)).toEqual([SERVING, SERVICE_UNKNOWN]);
    const startMs = performance.now();
    const closed = relay.close();
    expect((await watches[0]?.answers.next())?.value?.status).toBe(NOT_SERVING);
    for (const { answers } of watches) {
      const error = await answers.next().catch((reason: unknown) => reason);
      expect(ConnectError.from(error)).toMatchObject({ code: Code.Unavailable, rawMessage: /the relay stops/ });
    }
    await closed;
    expect(performance.now() - startMs).toBeLessThan(3_000);
  });
});

describe("health", () => {
  test("of a relay that stops is told to a check that crosses its farewell", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    await subscribe(session, someKey());
    const late = call(session, checkPath, framed(new Uint8Array()));
    const lateProbe = call(session, "/healthz", undefined, { ":method": "GET" });
    // Now the requests are on the socket, and the relay has not read them.
    await new Promise((resolve) => setImmediate(resolve));
    const closed = relay.close();
    expect((await late).messages.map((message) => [...message])).toEqual([[0x08, NOT_SERVING]]);
    expect((await lateProbe).http).toBe(503);
    await closed;
  });

  test("is what GET and HEAD of /healthz tell, in both versions of HTTP", async () => {
    const relay = await startRelay();
    for (const method of ["GET", "HEAD"]) {
      const answer = await fetch(`${relay.url}/healthz?verbose`, { method });
      expect(answer.status).toBe(200);
      expect(await answer.text()).toBe(method === "GET" ? "ok\n" : "");
      expect((await call(openSession(relay.url), "/healthz", undefined, { ":method": method })).http).toBe(200);
    }
    expect((await fetch(`${relay.url}/healthz`, { method: "POST" })).status).toBe(404);
  });

  test("is watched by nobody any more once they went away", async () => {
    const relay = await startRelay({ limits: { maxPendingBytesPerAddress: 5 * 4_096 } });
    const session = openSession(relay.url);
    const watch = async () => {
      const stream = openStream(session, "/grpc.health.v1.Health/Watch");
      stream.end(framed(new Uint8Array()));
      await new Promise((resolve) => stream.once("data", resolve));
      return stream;
    };
    for (let round = 0; round < 4; round++) {
      const streams = await Promise.all([watch(), watch(), watch(), watch()]);
      // Each of them counts as a call under way.
      const refused = call(session, "/grpc.health.v1.Health/Watch", framed(new Uint8Array(100)));
      expect((await refused).grpc).toBe("8");
      for (const stream of streams) stream.close(8);
      for (;;) if ((await call(session, checkPath, framed(Buffer.of(0x0a, 1, 120)))).grpc === "5") break;
    }
  });
});
