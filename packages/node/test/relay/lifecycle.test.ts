import { getEventListeners, once } from "node:events";
import { type ClientHttp2Session, constants } from "node:http2";
import { createServer } from "node:net";
import { connect as connectTls } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createClient } from "@connectrpc/connect";
import { isWiceError, type WiceErrorCode } from "@wice/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { Health } from "../../src/relay/gen/grpc/health/v1/health_pb.ts";
import { createRelay, type RelayOptions } from "../../src/relay/index.ts";
import { dialects, listen, transportFor } from "./protocols.ts";
import {
  call,
  openSession,
  openStream,
  outcome,
  publish,
  publishPath,
  subscribe,
  subscribePath,
} from "./raw-client.ts";
import { openSocket } from "./raw-socket.ts";
import { startRelay, until } from "./relay.ts";
import { selfSigned } from "./self-signed.ts";
import { envelope, envelopeFor, framed, someKey, subscribeParams } from "./wire.ts";

describe("createRelay", () => {
  test("listens on a free port of 127.0.0.1 unless told otherwise", async () => {
    const relay = await startRelay();
    expect(relay).toMatchObject({ address: "127.0.0.1", url: `http://127.0.0.1:${relay.port}` });
    expect((await publish(openSession(relay.url), envelope())).grpc).toBe("0");
  });

  test.each([
    ["::1", "[::1]"],
    ["0.0.0.0", "127.0.0.1"],
    ["::", "[::1]"],
  ])("listens on %s, and says how to reach it", async (host, reachedBy) => {
    const relay = await startRelay({ host });
    expect(relay).toMatchObject({ address: host, url: `http://${reachedBy}:${relay.port}` });
    const session = openSession(relay.url);
    const key = someKey();
    const subscription = await subscribe(session, key);
    await publish(session, envelopeFor(key));
    await subscription.count(2);
  });

  test("says what to do when the port is taken", async () => {
    const relay = await startRelay();
    const error = await failure({ port: relay.port });
    expect(error).toMatchObject({ code: "address-in-use" });
    expect(error.message).toMatch(`127.0.0.1:${relay.port} is in use by another program; stop that one`);
  });

  test("says what to do when the address is another machine's", async () => {
    const error = await failure({ host: "192.0.2.1" });
    expect(error).toMatchObject({ code: "address-in-use" });
    expect(error.message).toMatch("192.0.2.1 is not an address of this machine");
  });

  test.each<[string, RelayOptions, WiceErrorCode]>([
    ["a host that does not exist", { host: "relay.invalid" }, "invalid-argument"],
    ["a port out of range", { port: 65_536 }, "invalid-argument"],
    ["a port that is no integer", { port: 1.5 }, "invalid-argument"],
    ["a limit of zero", { limits: { maxEnvelopeBytes: 0 } }, "invalid-argument"],
    ["a limit that is no number", { limits: { maxQueuedBytes: Number.NaN } }, "invalid-argument"],
    ["a rate without burst", { limits: { publishesPerKey: { perSecond: 1, burst: 0 } } }, "invalid-argument"],
    ["a ping interval of zero", { pingIntervalMs: 0 }, "invalid-argument"],
    ["a certificate that is none", { tls: { cert: "none", key: "none" } }, "invalid-file"],
    ["a key of another certificate", { tls: { cert: selfSigned().cert, key: selfSigned().key } }, "invalid-file"],
  ])("refuses %s", async (_, options, code) => {
    expect(await failure(options)).toMatchObject({ code });
  });

  test("does not start when aborted, with the signal's reason", async () => {
    const reason = new Error("changed my mind");
    await expect(createRelay({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const pending = createRelay({ signal: controller.signal });
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
  });

  test("speaks HTTP/2 over TLS, chosen by ALPN", async () => {
    const tls = selfSigned();
    const relay = await startRelay({ tls });
    expect(relay.url).toBe(`https://127.0.0.1:${relay.port}`);
    const session = openSession(relay.url, { ca: tls.cert });
    const key = someKey();
    const subscription = await subscribe(session, key);
    expect(session.alpnProtocol).toBe("h2");
    const sent = envelopeFor(key, 60_000);
    expect((await publish(session, sent)).grpc).toBe("0");
    await subscription.count(2);
    expect(subscription.messages[1]?.equals(sent)).toBe(true);
    expect((await call(session, "/cunicu.signaling.Signaling/GetBuildInfo", framed(new Uint8Array()))).grpc).toBe("0");
  });

  test("offers nothing but HTTP over TLS", async () => {
    const tls = selfSigned();
    const relay = await startRelay({ tls: { cert: Buffer.from(tls.cert), key: Buffer.from(tls.key) } });
    const socket = connectTls({ port: relay.port, host: "127.0.0.1", ca: tls.cert, ALPNProtocols: ["spdy/3"] });
    onTestFinished(() => void socket.destroy());
    const [error] = (await once(socket, "error")) as [Error];
    expect(error.message).toMatch(/alert no application protocol/);
  });
});

describe("close", () => {
  test("ends subscriptions with Unavailable, and never with OK", async () => {
    const relay = await startRelay();
    const subscriptions = await Promise.all([
      subscribe(openSession(relay.url), someKey()),
      subscribe(openSession(relay.url), someKey(), { heartbeatMs: 100 }),
    ]);
    await relay.close();
    for (const { ended } of subscriptions) {
      expect(await ended).toMatchObject({ grpc: "14", message: "the relay stops; subscribe again", resetCode: 0 });
    }
    expect(relay.counters()).toMatchObject({ connections: 0, subscriptions: 0, topics: 0, queuedBytes: 0 });
  });

  test("delivers what waits before it ends a subscription", async () => {
    const relay = await startRelay();
    const key = someKey();
    const subscription = await subscribe(openSession(relay.url), key);
    subscription.stream.pause();
    const session = openSession(relay.url);
    await Promise.all(Array.from({ length: 100 }, () => publish(session, envelopeFor(key, 10_000))));
    expect(relay.counters().queuedBytes).toBeGreaterThan(0);
    const closed = relay.close();
    subscription.stream.resume();
    expect((await subscription.ended).grpc).toBe("14");
    expect(subscription.messages).toHaveLength(101);
    await closed;
  });

  test("announces itself before any stream ends, and refuses later streams as not processed", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const events: string[] = [];
    session.on("goaway", (code, last) =>
      events.push(`goaway ${code} ${last === 2 ** 31 - 1 ? "announcement" : "end"}`),
    );
    const subscription = await subscribe(session, someKey());
    void subscription.ended.then(({ grpc }) => events.push(`stream ${grpc}`));
    // On its way to the relay when the relay begins to close.
    const closed = relay.close();
    const late = call(session, publishPath, framed(envelope()));
    expect(await late).toMatchObject({ grpc: undefined, resetCode: constants.NGHTTP2_REFUSED_STREAM });
    await closed;
    await until(() => events.length >= 3);
    expect(events[0]).toBe("goaway 0 announcement");
    expect(events.indexOf("stream 14")).toBeGreaterThan(0);
    expect(relay.counters().published).toBe(0);
  });

  test("refuses a stream that came between its announcement and the end of the connection", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    await subscribe(session, someKey());
    const late = ["Publish", "GetBuildInfo"].map((method) =>
      call(session, `/cunicu.signaling.Signaling/${method}`, framed(envelope())),
    );
    // Now the requests are on the socket, and the relay has not read them.
    await new Promise((resolve) => setImmediate(resolve));
    const closed = relay.close();
    for (const result of await Promise.all(late)) {
      expect(result).toMatchObject({ http: undefined, resetCode: constants.NGHTTP2_REFUSED_STREAM });
    }
    await closed;
    expect(relay.counters().published).toBe(0);
  });

  test("answers the publication that was under way", async () => {
    const relay = await startRelay();
    const stream = openStream(openSession(relay.url), publishPath);
    const result = outcome(stream);
    const frame = framed(envelope());
    stream.write(frame.subarray(0, 50));
    await until(() => relay.counters().connections === 1);
    await new Promise<void>((resolve) => stream.session?.ping(() => resolve()));
    const closed = relay.close();
    setTimeout(() => stream.end(frame.subarray(50)), 50);
    expect((await result).grpc).toBe("0");
    await closed;
  });

  test("listens no longer, at once", async () => {
    const relay = await startRelay();
    await subscribe(openSession(relay.url), someKey());
    const closed = relay.close();
    await expect(once(openSession(relay.url), "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await closed;
    const next = createServer();
    next.listen(relay.port, "127.0.0.1");
    await once(next, "listening");
    next.close();
  });

  test.each([undefined, selfSigned()])("cuts a client that does not read when the grace is over", async (tls) => {
    const relay = await startRelay({ tls });
    const options = tls === undefined ? {} : { ca: tls.cert };
    const key = someKey();
    const subscription = await subscribe(openSession(relay.url, options), key);
    subscription.stream.pause();
    const session = openSession(relay.url, options);
    await Promise.all(Array.from({ length: 100 }, () => publish(session, envelopeFor(key, 10_000))));
    const startMs = performance.now();
    await relay.close({ graceMs: 200 });
    const tookMs = performance.now() - startMs;
    expect(tookMs).toBeGreaterThan(150);
    expect(tookMs).toBeLessThan(4_000);
    expect(relay.counters()).toMatchObject({ connections: 0, subscriptions: 0, queuedBytes: 0 });
  });

  test("cuts a connection that never said anything", async () => {
    const relay = await startRelay();
    const socket = await openSocket(relay.port);
    socket.resume();
    await until(() => relay.counters().connections === 1);
    const gone = once(socket, "close");
    await relay.close({ graceMs: 100 });
    await gone;
  });

  test("is idempotent, and a second call may be more impatient", async () => {
    const relay = await startRelay();
    const stream = openStream(openSession(relay.url), publishPath);
    stream.write(framed(envelope()).subarray(0, 50));
    await until(() => relay.counters().connections === 1);
    await new Promise<void>((resolve) => stream.session?.ping(() => resolve()));
    const patient = relay.close({ graceMs: Number.POSITIVE_INFINITY });
    await relay.close({ graceMs: 0 });
    await patient;
    await relay.close();
  });

  test("leaves nothing in the process that refers to the relay", { timeout: 30_000 }, async () => {
    // The relay holds this very object as long as anything of it is left: a timer, a listener, a call.
    const rates: WeakRef<object>[] = [];
    const { signal } = new AbortController();
    const useOne = async (tls: RelayOptions["tls"]): Promise<void> => {
      const publishesPerKey = { perSecond: 1e6, burst: 1e6 };
      rates.push(new WeakRef(publishesPerKey));
      const relay = await createRelay({ limits: { publishesPerKey }, signal, tls });
      for (const dialect of dialects) {
        const transport = transportFor(dialect, relay.url, tls === undefined ? undefined : `${tls.cert}`);
        const listening = await listen(transport, [someKey()], { heartbeatMs: 10_000 });
        await createClient(Health, transport).check({});
        if (dialect.encoding === "binary") listening.abort();
      }
      const late = openSession(relay.url, tls === undefined ? {} : { ca: `${tls.cert}` });
      openStream(late, publishPath).write(Buffer.of(0));
      await relay.close({ graceMs: 100 });
    };
    await useOne(undefined);
    await useOne(selfSigned());
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    while (rates.some((rate) => rate.deref() !== undefined)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      collectGarbage();
    }
  });

  test("comes with the signal of the options", async () => {
    const controller = new AbortController();
    const relay = await startRelay({ signal: controller.signal });
    const { ended } = await subscribe(openSession(relay.url), someKey());
    controller.abort();
    expect((await ended).grpc).toBe("14");
    await until(() => relay.counters().connections === 0);
  });

  test("comes with the end of a scope", async () => {
    let session: ClientHttp2Session;
    {
      await using relay = await createRelay();
      session = openSession(relay.url);
      await subscribe(session, someKey());
    }
    await until(() => session.closed || session.destroyed);
  });

  test("refuses a Subscribe that waits for its quota as not processed, so that gRPC tries again by itself", async () => {
    const relay = await startRelay({ limits: { maxSubscriptions: 1 } });
    const session = openSession(relay.url);
    await subscribe(session, someKey());
    const waiting = call(session, subscribePath, framed(subscribeParams({ key: someKey() })));
    await until(() => relay.counters().delayed === 1);
    await relay.close();
    expect(await waiting).toMatchObject({ http: undefined, resetCode: constants.NGHTTP2_REFUSED_STREAM });
  });

  test("refuses a Subscribe whose request is complete only now as not processed", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const stream = openStream(session, subscribePath);
    const ended = outcome(stream);
    const request = framed(subscribeParams({ key: someKey() }));
    stream.write(request.subarray(0, 9));
    await until(() => relay.counters().connections === 1);
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    const startMs = performance.now();
    const closed = relay.close({ graceMs: 10_000 });
    stream.end(request.subarray(9));
    expect(await ended).toMatchObject({ http: undefined, resetCode: constants.NGHTTP2_REFUSED_STREAM });
    await closed;
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });
});

/** The error that a relay with these options fails with. */
async function failure(options: RelayOptions): Promise<Error> {
  const error = await createRelay(options).then(
    async (relay) => {
      await relay.close();
      throw new Error("it started");
    },
    (reason: unknown) => reason,
  );
  if (!isWiceError(error)) throw error;
  return error;
}
