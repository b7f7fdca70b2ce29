import { constants } from "node:http2";
import { describe, expect, test } from "vitest";
import {
  call,
  openSession,
  openStream,
  openSubscription,
  outcome,
  publish,
  subscribe,
  subscribePath,
} from "./raw-client.ts";
import { sleep, startRelay, until } from "./relay.ts";
import { envelopeFor, framed, someKey, subscribeParams } from "./wire.ts";

describe("Subscribe", () => {
  test("sends an empty envelope first, and is live by then", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    for (let i = 0; i < 200; i++) {
      const key = someKey();
      const subscription = await subscribe(session, key);
      expect(subscription.messages[0]).toHaveLength(0);
      const sent = envelopeFor(key);
      await publish(session, sent);
      await subscription.count(2);
      expect(subscription.messages[1]?.equals(sent)).toBe(true);
    }
  });

  test("keeps the order of what one connection published", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const key = someKey();
    const subscription = await subscribe(openSession(relay.url), key);
    const sent = Array.from({ length: 500 }, () => envelopeFor(key));
    await Promise.all(sent.map((each) => publish(session, each)));
    await subscription.count(501);
    expect(subscription.messages.slice(1).map((each) => each.toString("hex"))).toEqual(
      sent.map((each) => Buffer.from(each).toString("hex")),
    );
  });

  test("gives every envelope to every subscriber, those of one connection and the newest included", async () => {
    const relay = await startRelay();
    const key = someKey();
    const session = openSession(relay.url);
    const subscriptions = await Promise.all(
      Array.from({ length: 20 }, (_, i) => subscribe(i % 2 === 0 ? session : openSession(relay.url), key)),
    );
    for (let i = 0; i < 10; i++) await publish(session, envelopeFor(key));
    await Promise.all(subscriptions.map((each) => each.count(11)));
    expect(relay.counters()).toMatchObject({ delivered: 200, topics: 1, subscriptions: 20 });
  });

  test("forgets a topic with its last subscriber", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const key = someKey();
    const [first, second] = [await subscribe(session, key), await subscribe(session, key)];
    first.stream.close(constants.NGHTTP2_CANCEL);
    await until(() => relay.counters().subscriptions === 1);
    expect(relay.counters().topics).toBe(1);
    await publish(session, envelopeFor(key));
    await second.count(2);
    second.stream.close(constants.NGHTTP2_CANCEL);
    await until(() => relay.counters().topics === 0);
    expect(relay.counters().subscriptions).toBe(0);
  });

  test.each([
    ["a key of 31 bytes", framed(subscribeParams({ key: new Uint8Array(31).fill(1) })), "3"],
    ["no key", framed(new Uint8Array()), "3"],
    ["the zero key", framed(subscribeParams({ key: new Uint8Array(32) })), "3"],
    ["a key that is not canonical", framed(subscribeParams({ key: new Uint8Array(32).fill(0xff) })), "3"],
    ["malformed protobuf", framed(Buffer.from([0x0a, 0x20, 0x01])), "3"],
    ["no message", undefined, "12"],
    ["a compressed message whose compression no header names", framed(subscribeParams({ key: someKey() }), 1), "13"],
  ])("refuses %s", async (_, body, status) => {
    const relay = await startRelay();
    const result = await call(openSession(relay.url), subscribePath, body);
    expect(result).toMatchObject({ http: 200, grpc: status, messages: [] });
    expect(relay.counters()).toMatchObject({ subscriptions: 0, topics: 0 });
  });

  test("ends at the client's deadline", async () => {
    const relay = await startRelay();
    const subscription = openSubscription(openSession(relay.url), someKey(), { headers: { "grpc-timeout": "60m" } });
    expect(await subscription.ended).toMatchObject({ grpc: "4" });
    expect(subscription.messages).toHaveLength(1);
    expect(relay.counters()).toMatchObject({ subscriptions: 0, topics: 0 });
  });

  test("does not mind a client that half-closes late", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const stream = openStream(session, subscribePath);
    const ended = outcome(stream);
    stream.write(framed(subscribeParams({ key: someKey() })));
    await sleep(30);
    expect(relay.counters().subscriptions).toBe(0);
    stream.end();
    await until(() => relay.counters().subscriptions === 1);
    stream.close(constants.NGHTTP2_CANCEL);
    await ended;
  });
});

describe("the heartbeat", () => {
  test("is an empty envelope at the interval asked for", async () => {
    const relay = await startRelay();
    const startMs = performance.now();
    const subscription = await subscribe(openSession(relay.url), someKey(), { heartbeatMs: 200 });
    await subscription.count(6);
    const elapsedMs = performance.now() - startMs;
    expect(subscription.messages.every((message) => message.length === 0)).toBe(true);
    expect(elapsedMs).toBeGreaterThan(850);
    expect(elapsedMs).toBeLessThan(3_000);
    expect(relay.counters().heartbeats).toBeGreaterThanOrEqual(5);
  });

  test("is not sent to those who do not ask", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const [silent, asking] = [
      await subscribe(session, someKey()),
      await subscribe(session, someKey(), { heartbeatMs: 100 }),
    ];
    await asking.count(5);
    expect(silent.messages).toHaveLength(1);
  });

  test("is left out while envelopes flow", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const key = someKey();
    const subscription = await subscribe(session, key, { heartbeatMs: 400 });
    for (let i = 0; i < 20; i++) {
      await sleep(40);
      await publish(session, envelopeFor(key));
    }
    await subscription.count(21);
    expect(relay.counters().heartbeats).toBe(0);
  });

  test("is never more often than every 100 ms", async () => {
    const relay = await startRelay();
    const subscription = await subscribe(openSession(relay.url), someKey(), { heartbeatMs: 1 });
    await sleep(450);
    expect(subscription.messages.length).toBeGreaterThan(2);
    expect(subscription.messages.length).toBeLessThan(8);
  });

  test("ends with the subscription", async () => {
    const relay = await startRelay();
    const subscription = await subscribe(openSession(relay.url), someKey(), { heartbeatMs: 100 });
    subscription.stream.close(constants.NGHTTP2_CANCEL);
    await until(() => relay.counters().subscriptions === 0);
    const { heartbeats } = relay.counters();
    await sleep(300);
    expect(relay.counters().heartbeats).toBe(heartbeats);
  });
});
