import { constants } from "node:http2";
import { describe, expect, test } from "vitest";
import { addressName } from "../../src/relay/connections.ts";
import { createBucket, isFull, takeToken } from "../../src/relay/token-bucket.ts";
import { openSession, openSubscription, publish, subscribe } from "./raw-client.ts";
import { sleep, startRelay, until } from "./relay.ts";
import { envelope, envelopeFor, someKey } from "./wire.ts";

describe("a Subscribe over a quota", () => {
  test.each([
    ["of its key", { maxSubscriptionsPerKey: 2 }],
    ["of its address", { maxSubscriptionsPerAddress: 2 }],
    ["of the relay", { maxSubscriptions: 2 }],
  ])("%s waits until there is room, and is then as good as any", async (_, limits) => {
    const relay = await startRelay({ limits });
    const session = openSession(relay.url);
    const key = someKey();
    const [first] = await Promise.all([subscribe(session, key), subscribe(session, key)]);
    const third = openSubscription(session, key);
    await until(() => relay.counters().delayed === 1);
    await sleep(50);
    expect(third.messages).toHaveLength(0);
    expect(relay.counters()).toMatchObject({ subscriptions: 2, delayed: 1 });
    first?.stream.close(constants.NGHTTP2_CANCEL);
    await third.count(1);
    expect(relay.counters()).toMatchObject({ subscriptions: 2, delayed: 0 });
    await publish(session, envelopeFor(key));
    await third.count(2);
  });

  test("is refused, with a hint when to come again, only when that takes too long", async () => {
    const relay = await startRelay({ limits: { maxSubscriptionsPerKey: 1, maxSubscribeDelayMs: 80 } });
    const session = openSession(relay.url);
    const key = someKey();
    await subscribe(session, key);
    const startMs = performance.now();
    const result = await openSubscription(session, key).ended;
    expect(performance.now() - startMs).toBeGreaterThan(70);
    expect(result).toMatchObject({ grpc: "8", messages: [] });
    expect(Number(result.headers["grpc-retry-pushback-ms"])).toBeGreaterThan(0);
    expect(relay.counters()).toMatchObject({ delayed: 0, refused: { "resource-exhausted": 1 } });
  });

  test("waits for ever where the limit is switched off", async () => {
    const limits = {
      maxSubscriptionsPerKey: 1,
      maxSubscribeDelayMs: Number.POSITIVE_INFINITY,
      maxRequestMs: Number.POSITIVE_INFINITY,
    };
    const relay = await startRelay({ limits });
    const session = openSession(relay.url);
    const key = someKey();
    await subscribe(session, key);
    openSubscription(session, key);
    await until(() => relay.counters().delayed === 1);
    await sleep(50);
    expect(relay.counters().delayed).toBe(1);
  });

  test("does not wait when too many do", async () => {
    const relay = await startRelay({ limits: { maxSubscriptionsPerKey: 1, maxDelayedSubscribes: 1 } });
    const session = openSession(relay.url);
    const key = someKey();
    await subscribe(session, key);
    openSubscription(session, key);
    await until(() => relay.counters().delayed === 1);
    expect((await openSubscription(session, key).ended).grpc).toBe("8");
  });

  test("leaves the line when its client does", async () => {
    const relay = await startRelay({ limits: { maxSubscriptionsPerKey: 1 } });
    const session = openSession(relay.url);
    const key = someKey();
    const first = await subscribe(session, key);
    const waiting = openSubscription(session, key);
    await until(() => relay.counters().delayed === 1);
    waiting.stream.close(constants.NGHTTP2_CANCEL);
    await until(() => relay.counters().delayed === 0);
    first.stream.close(constants.NGHTTP2_CANCEL);
    await until(() => relay.counters().subscriptions === 0);
    await subscribe(session, key);
    expect(relay.counters()).toMatchObject({ subscriptions: 1, topics: 1 });
  });

  test("keeps to the client's deadline while it waits", async () => {
    const relay = await startRelay({ limits: { maxSubscriptionsPerKey: 1 } });
    const session = openSession(relay.url);
    const key = someKey();
    await subscribe(session, key);
    const waiting = openSubscription(session, key, { headers: { "grpc-timeout": "50m" } });
    expect((await waiting.ended).grpc).toBe("4");
    await until(() => relay.counters().delayed === 0);
  });

  test("does not keep others from subscribing", async () => {
    const relay = await startRelay({ limits: { maxSubscriptionsPerKey: 1 } });
    const session = openSession(relay.url);
    const key = someKey();
    await subscribe(session, key);
    openSubscription(session, key);
    await until(() => relay.counters().delayed === 1);
    await subscribe(session, someKey());
  });
});

describe("a Publish over a quota", () => {
  test("of the key that it goes to gets ResourceExhausted with a hint, and other keys do not", async () => {
    const relay = await startRelay({ limits: { publishesPerKey: { perSecond: 20, burst: 5 } } });
    const session = openSession(relay.url);
    const [busy, calm] = [someKey(), someKey()];
    const subscription = await subscribe(session, busy);
    await subscribe(session, calm);
    const results = await Promise.all(Array.from({ length: 10 }, () => publish(session, envelopeFor(busy))));
    const refused = results.filter(({ grpc }) => grpc === "8");
    expect(refused.length).toBeGreaterThanOrEqual(4);
    const waitMs = Number(refused[0]?.headers["grpc-retry-pushback-ms"]);
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(50);
    expect((await publish(session, envelopeFor(calm))).grpc).toBe("0");
    await sleep(2 * waitMs);
    expect((await publish(session, envelopeFor(busy))).grpc).toBe("0");
    await subscription.count(12 - refused.length);
  });

  test("of its address gets ResourceExhausted with a hint", async () => {
    const relay = await startRelay({ limits: { publishesPerAddress: { perSecond: 10, burst: 3 } } });
    const sessions = [openSession(relay.url), openSession(relay.url)];
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, i) => publish(sessions[i % 2] as (typeof sessions)[0], envelope())),
    );
    expect(results.filter(({ grpc }) => grpc === "0").length).toBeLessThanOrEqual(4);
    const refused = results.find(({ grpc }) => grpc === "8");
    expect(refused?.message).toMatch(/^this address publishes too often; try again in \d+ ms$/);
    expect(refused?.headers).toHaveProperty("grpc-retry-pushback-ms");
  });
});

test("connections beyond the quota of their address are closed at once", async () => {
  const relay = await startRelay({ limits: { maxConnectionsPerAddress: 2 } });
  const [first, second] = [openSession(relay.url), openSession(relay.url)];
  await Promise.all([first, second].map((session) => publish(session, envelope())));
  const third = openSession(relay.url);
  await new Promise((resolve) => third.once("close", resolve));
  expect(relay.counters().connections).toBe(2);
  first.destroy();
  await until(() => relay.counters().connections === 1);
  expect((await publish(openSession(relay.url), envelope())).grpc).toBe("0");
});

describe("a token bucket", () => {
  const rate = { perSecond: 10, burst: 3 };

  test("gives a burst, then one at a time, then the burst again after a rest", () => {
    const bucket = createBucket();
    expect([1, 2, 3].map(() => takeToken(bucket, rate, 1_000))).toEqual([0, 0, 0]);
    expect(takeToken(bucket, rate, 1_000)).toBeCloseTo(100);
    expect(takeToken(bucket, rate, 1_050)).toBeCloseTo(50);
    expect(takeToken(bucket, rate, 1_100)).toBe(0);
    expect(takeToken(bucket, rate, 1_100)).toBeGreaterThan(0);
    expect(isFull(bucket, rate, 1_200)).toBe(false);
    expect(isFull(bucket, rate, 1_500)).toBe(true);
    expect([1, 2, 3, 4].map(() => takeToken(bucket, rate, 9_000) === 0)).toEqual([true, true, true, false]);
  });

  test("is never empty at an infinite rate", () => {
    const bucket = createBucket();
    const unlimited = { perSecond: Number.POSITIVE_INFINITY, burst: 1 };
    for (let i = 0; i < 10; i++) expect(takeToken(bucket, unlimited, 5)).toBe(0);
  });
});

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:db8:1:2::6", "2001:db8:1:2"],
  ["2001:db8::6", "2001:db8:0:0"],
  ["fe80::1%eth0", "fe80:0:0:0"],
  ["::1", "0:0:0:0"],
  [undefined, ""],
])("%s counts as %s", (address, name) => {
  expect(addressName(address)).toBe(name);
});
