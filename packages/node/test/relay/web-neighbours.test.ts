/** A bad neighbour hurts only itself, whatever it speaks. */

import { connect as connectHttp2 } from "node:http2";
import type { Duplex } from "node:stream";
import { fromBinary } from "@bufbuild/protobuf";
import { EnvelopeSchema } from "@wice/core/wire";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Relay } from "../../src/relay/index.ts";
import { openSession, publish, subscribe, subscribePath } from "./raw-client.ts";
import { post } from "./raw-http1.ts";
import { openSocket } from "./raw-socket.ts";
import { startRelay, until } from "./relay.ts";
import { envelopeFor, framed, someKey, subscribeParams } from "./wire.ts";

const kinds = ["1.1", "2"].flatMap((httpVersion) =>
  [
    "application/grpc-web+proto",
    "application/connect+proto",
    "application/connect+json",
    "application/grpc-web+json",
  ].map((contentType) => ({ httpVersion, contentType })),
);

/** A subscription whose client reads nothing until it is told to. */
interface Sleeper {
  /** Reads on; every byte that comes. */
  wake(onBytes: (bytes: Buffer) => void): void;
  vanish(): void;
}

async function sleep(relay: Relay, { httpVersion, contentType }: (typeof kinds)[0], key: Buffer): Promise<Sleeper> {
  const headers = { "content-type": contentType };
  const message = contentType.endsWith("json")
    ? Buffer.from(JSON.stringify({ key: key.toString("base64") }))
    : subscribeParams({ key });
  const before = relay.counters().subscriptions;
  let source: Duplex;
  let vanish: () => void;
  if (httpVersion === "1.1") {
    const socket = await openSocket(relay.port);
    socket.pause();
    socket.write(post(subscribePath, headers, framed(message)));
    source = socket;
    vanish = () => socket.resetAndDestroy();
  } else {
    const session = connectHttp2(relay.url);
    onTestFinished(() => session.destroy());
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST", ":path": subscribePath, ...headers });
    stream.on("error", () => {});
    stream.pause();
    stream.end(framed(message));
    source = stream;
    vanish = () => session.destroy();
  }
  await until(() => relay.counters().subscriptions === before + 1);
  return {
    wake: (onBytes) => void source.on("data", onBytes).resume(),
    vanish,
  };
}

describe.each(kinds)("a subscriber over HTTP/$httpVersion in $contentType that does not read", (kind) => {
  test("loses its own oldest, and delays nobody", async () => {
    const relay = await startRelay({ limits: { maxQueuedEnvelopes: 20 } });
    const key = someKey();
    const sleeper = await sleep(relay, kind, key);
    const session = openSession(relay.url);
    const neighbour = await subscribe(openSession(relay.url), key);
    let sent = 0;
    let last: Uint8Array = new Uint8Array();
    while (relay.counters().dropped["queue-envelopes"] < 50) {
      last = envelopeFor(key, 30_000);
      const results = await Promise.all([publish(session, envelopeFor(key, 30_000)), publish(session, last)]);
      expect(results.map(({ grpc }) => grpc)).toEqual(["0", "0"]);
      sent += 2;
      // The neighbour has it at once.
      await neighbour.count(1 + sent);
    }
    expect(relay.counters().dropped).toMatchObject({ "queue-bytes": 0, "queue-share": 0 });
    const { dropped } = relay.counters();
    // The newest is not lost.
    const nonce = Buffer.from(fromBinary(EnvelopeSchema, last).contents?.nonce ?? []);
    const needle = kind.contentType.endsWith("json") ? nonce.toString("base64") : nonce;
    let seen: Buffer = Buffer.alloc(0);
    await new Promise<void>((resolve) => {
      sleeper.wake((bytes) => {
        seen = Buffer.concat([seen.subarray(-60_000), bytes]);
        if (seen.includes(needle)) resolve();
      });
    });
    await until(() => relay.counters().queuedBytes === 0);
    expect(relay.counters().dropped).toEqual(dropped);
    expect(relay.counters().subscriptions).toBe(2);
  });

  test("and then goes away leaves nothing behind, not even a line on the console", async () => {
    const printed = vi.spyOn(console, "error");
    onTestFinished(() => printed.mockRestore());
    const relay = await startRelay({ limits: { maxQueuedBytes: 300_000 } });
    const key = someKey();
    const sleepers = [await sleep(relay, kind, key), await sleep(relay, kind, someKey())];
    const session = openSession(relay.url);
    while (relay.counters().dropped["queue-bytes"] < 5) await publish(session, envelopeFor(key, 30_000));
    for (const sleeper of sleepers) sleeper.vanish();
    await until(() => relay.counters().subscriptions === 0);
    expect(relay.counters()).toMatchObject({ topics: 0, queuedBytes: 0, connections: 1 });
    expect((await publish(session, envelopeFor(key))).grpc).toBe("0");
    expect(printed).not.toHaveBeenCalled();
  });

  test("does not hold up the relay's stop beyond its grace", async () => {
    const relay = await startRelay();
    const key = someKey();
    await sleep(relay, kind, key);
    const session = openSession(relay.url);
    for (let i = 0; i < 200; i++) await publish(session, envelopeFor(key, 30_000));
    const startMs = performance.now();
    await relay.close({ graceMs: 200 });
    expect(performance.now() - startMs).toBeLessThan(3_000);
    expect(relay.counters()).toMatchObject({ connections: 0, subscriptions: 0, queuedBytes: 0 });
  });
});
