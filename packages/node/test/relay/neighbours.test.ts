import { constants } from "node:http2";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { createCounters } from "../../src/relay/counters.ts";
import { abandon, createSubscriber, deliver } from "../../src/relay/subscriber.ts";
import { openSession, openStream, publish, type RawSubscription, subscribe, subscribePath } from "./raw-client.ts";
import { openSocket, preface, subscribeFrames } from "./raw-socket.ts";
import { startRelay, until } from "./relay.ts";
import { envelopeFor, framed, someKey, subscribeParams } from "./wire.ts";

describe("a subscriber that never reads", () => {
  test("holds up neither 40,000 publishers nor its neighbour", { timeout: 120_000 }, async () => {
    const relay = await startRelay();
    const key = someKey();
    const stalled = openStream(openSession(relay.url), subscribePath);
    stalled.end(framed(subscribeParams({ key })));
    stalled.pause();
    const neighbour = await subscribe(openSession(relay.url), key);
    await until(() => relay.counters().subscriptions === 2);

    const total = 40_000;
    const sessions = [openSession(relay.url), openSession(relay.url)];
    const message = envelopeFor(key, 1_024);
    const statuses = new Map<string | undefined, number>();
    let left = total;
    const work = async (_: unknown, index: number): Promise<void> => {
      const session = sessions[index % 2] ?? sessions[0];
      while (left-- > 0 && session !== undefined) {
        const { grpc } = await publish(session, message);
        statuses.set(grpc, (statuses.get(grpc) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 64 }, work));

    expect([...statuses]).toEqual([["0", total]]);
    await neighbour.count(1 + total * 0.99);
    expect(relay.counters().queuedBytes).toBeLessThanOrEqual(48 * 1_048_576);
  });

  test("costs no more memory than its queue may take", async () => {
    const relay = await startRelay({ limits: { maxQueuedBytes: 300_000 } });
    const key = someKey();
    const subscription = await subscribe(openSession(relay.url), key);
    subscription.stream.pause();
    const session = openSession(relay.url);
    const message = envelopeFor(key, 10_000);
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 10 }, () => publish(session, message)));
    const { queuedBytes, dropped, delivered } = relay.counters();
    // The queue, and a batch of it that the stream has taken but could not write.
    expect(queuedBytes).toBeLessThanOrEqual(300_000 + 262_144 + message.length);
    expect(queuedBytes).toBeGreaterThan(250_000);
    expect(dropped["queue-bytes"]).toBeGreaterThan(50);
    expect(delivered + dropped["queue-bytes"]).toBeLessThan(200);
  });

  test("finds the newest envelopes when it reads again", async () => {
    const relay = await startRelay({ limits: { maxQueuedEnvelopes: 10 } });
    const key = someKey();
    const session = openSession(relay.url);
    const subscription = await subscribe(openSession(relay.url), key);
    subscription.stream.pause();
    const sent: Uint8Array[] = [];
    while (relay.counters().dropped["queue-envelopes"] < 30) {
      sent.push(envelopeFor(key, 8_000));
      await publish(session, sent.at(-1) as Uint8Array);
    }
    const before = relay.counters();
    subscription.stream.resume();
    await subscription.count(1 + sent.length - before.dropped["queue-envelopes"]);
    await until(() => relay.counters().queuedBytes === 0);
    const newest = sent.slice(-10).map((each) => Buffer.from(each).toString("hex"));
    expect(subscription.messages.slice(-10).map((each) => each.toString("hex"))).toEqual(newest);
    expect(relay.counters().delivered).toBe(sent.length - before.dropped["queue-envelopes"]);
  });

  test("on a connection that nobody reads loses only its own", async () => {
    const relay = await startRelay({ limits: { maxQueuedBytes: 200_000 } });
    const key = someKey();
    const socket = await openSocket(relay.port);
    socket.pause();
    socket.write(Buffer.concat([preface(), subscribeFrames(1, key), subscribeFrames(3, key)]));
    const neighbour = await subscribe(openSession(relay.url), key);
    await until(() => relay.counters().subscriptions === 3);
    const session = openSession(relay.url);
    const message = envelopeFor(key, 50_000);
    let sent = 0;
    while (relay.counters().dropped["queue-bytes"] < 100) {
      expect((await publish(session, message)).grpc).toBe("0");
      sent++;
      await neighbour.count(1 + sent);
    }
    expect(relay.counters().queuedBytes).toBeLessThanOrEqual(2 * (200_000 + 262_144));
    socket.destroy();
    await until(() => relay.counters().subscriptions === 1);
    expect(relay.counters().queuedBytes).toBe(0);
    expect(relay.counters().dropped["subscriber-gone"]).toBeGreaterThan(0);
  });
});

describe("a subscriber's queue", () => {
  test.each([
    [{ maxQueuedEnvelopes: 4, maxQueuedBytes: 1e9, maxTotalQueuedBytes: 1e9 }, 4, "queue-envelopes"],
    [{ maxQueuedEnvelopes: 1e9, maxQueuedBytes: 350, maxTotalQueuedBytes: 1e9 }, 3, "queue-bytes"],
    [{ maxQueuedEnvelopes: 1e9, maxQueuedBytes: 1e9, maxTotalQueuedBytes: 1_000 }, 2, "queue-share"],
  ] as const)("is bounded by %j, and drops the oldest", async (limits, kept, reason) => {
    const counters = createCounters();
    // Writes to a stream that is corked from outside wait as if the network did.
    const output = new PassThrough();
    const received: number[] = [];
    output.on("data", (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; at += 100) received.push(chunk[at] as number);
    });
    output.cork();
    const subscriber = createSubscriber(output, { limits, counters });
    for (let i = 0; i < 20; i++) deliver(subscriber, Buffer.alloc(100, i));
    expect(counters.queuedBytes).toBe(kept * 100);
    expect(counters.dropped[reason]).toBe(19 - kept);
    output.uncork();
    await until(() => received.length === 1 + kept);
    expect(received).toEqual([0, ...Array.from({ length: kept }, (_, i) => 20 - kept + i)]);
    expect(counters).toMatchObject({ queuedBytes: 0, delivered: 1 + kept });
  });

  test("leaves nothing counted when its subscriber goes", () => {
    const counters = createCounters();
    const output = new PassThrough();
    output.cork();
    const limits = { maxQueuedEnvelopes: 100, maxQueuedBytes: 1e6, maxTotalQueuedBytes: 1e6 };
    const subscriber = createSubscriber(output, { limits, counters });
    for (let i = 0; i < 20; i++) deliver(subscriber, Buffer.alloc(100));
    abandon(subscriber);
    expect(counters.queuedBytes).toBe(0);
    expect(counters.dropped["subscriber-gone"]).toBe(19);
  });
});

describe("10,000 subscriptions", () => {
  test("on one connection come and go without a trace", { timeout: 60_000 }, async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const open: RawSubscription[] = [];
    for (let batch = 0; batch < 20; batch++) {
      open.push(...(await Promise.all(Array.from({ length: 500 }, () => subscribe(session, someKey())))));
    }
    expect(relay.counters()).toMatchObject({ subscriptions: 10_000, topics: 10_000, connections: 1 });
    for (const { stream } of open) stream.close(constants.NGHTTP2_CANCEL);
    await until(() => relay.counters().subscriptions === 0);
    expect(relay.counters()).toMatchObject({ topics: 0, queuedBytes: 0, connections: 1 });
    // All those resets at once were no attack.
    expect((await publish(session, envelopeFor(someKey()))).grpc).toBe("0");
  });

  test("of one key, lost with their connections, leave nothing behind", { timeout: 60_000 }, async () => {
    const relay = await startRelay();
    const key = someKey();
    const sessions = Array.from({ length: 20 }, () => openSession(relay.url));
    await Promise.all(sessions.flatMap((session) => Array.from({ length: 500 }, () => subscribe(session, key))));
    expect(relay.counters()).toMatchObject({ subscriptions: 10_000, topics: 1, connections: 20 });
    for (const session of sessions) session.destroy();
    await until(() => relay.counters().connections === 0 && relay.counters().subscriptions === 0);
    expect(relay.counters()).toMatchObject({ topics: 0, queuedBytes: 0 });
  });
});

describe("a connection", () => {
  test("that does not answer pings is dropped, with its subscriptions", async () => {
    const relay = await startRelay({ pingIntervalMs: 200 });
    const deaf = await openSocket(relay.port);
    deaf.resume();
    deaf.write(Buffer.concat([preface(), subscribeFrames(1, someKey())]));
    await until(() => relay.counters().subscriptions === 1);
    const alive = await subscribe(openSession(relay.url), someKey());
    await new Promise((resolve) => deaf.once("close", resolve));
    await until(() => relay.counters().subscriptions === 1);
    expect(relay.counters().connections).toBe(1);
    expect(alive.stream.closed).toBe(false);
  });

  test("may ping as often as it likes", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    for (let i = 0; i < 200; i++) await new Promise<void>((resolve) => session.ping(() => resolve()));
    expect((await publish(session, envelopeFor(someKey()))).grpc).toBe("0");
  });

  test("that floods with resets is closed, and nobody else notices", { timeout: 60_000 }, async () => {
    const relay = await startRelay();
    const neighbour = openSession(relay.url);
    const attacker = openSession(relay.url);
    const closed = new Promise<void>((resolve) => attacker.once("close", resolve));
    for (let sent = 0; sent < 60_000 && !attacker.closed && !attacker.destroyed; sent += 500) {
      for (let i = 0; i < 500; i++) openStream(attacker, subscribePath).close(constants.NGHTTP2_CANCEL);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closed;
    expect((await publish(neighbour, envelopeFor(someKey()))).grpc).toBe("0");
    await until(() => relay.counters().connections === 1);
  });

  test("that does not speak HTTP is closed", async () => {
    const relay = await startRelay();
    const socket = await openSocket(relay.port);
    socket.resume();
    socket.write("EHLO relay\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
    await until(() => relay.counters().connections === 0);
  });
});
