import { createBackend, generatePrivateKey, PublicKey } from "@wice/core";
import { createSeededRandom, createVirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { collect } from "./support/collect.ts";
import { hasCode, rejectionOf } from "./support/errors.ts";
import { createTestRelay } from "./support/relay.ts";
import { sealPlain, sealWithHeader } from "./support/signed.ts";
import { bytes, payloadText } from "./support/text.ts";

const setup = async () => {
  const clock = createVirtualClock();
  const relay = createTestRelay();
  const key = generatePrivateKey();
  const daemon = generatePrivateKey();
  const backend = createBackend(relay.connect(), { clock, random: createSeededRandom(1).bytes });
  const { messages } = collect(await backend.subscribe({ ours: key, theirs: PublicKey.any }));
  const say = async (text: string) => {
    const envelope = await sealPlain(daemon, key.publicKey, { payload: bytes(text) });
    await relay.inject(envelope);
    await clock.advance(0);
    return envelope;
  };
  return { clock, relay, key, daemon, backend, messages, say };
};

describe("a peer that sends no headers (Go)", () => {
  test("is heard, each envelope once, and never as fresh", async () => {
    const { clock, relay, backend, messages, say } = await setup();
    const envelopes = [await say("one"), await say("same"), await say("same")];
    for (const envelope of [...envelopes, ...envelopes]) await relay.inject(envelope);
    await clock.advance(0);
    expect(messages.map(({ message }) => payloadText(message))).toEqual(["one", "same", "same"]);
    expect(messages.every(({ fresh, downgraded, instance }) => !fresh && !downgraded && instance === undefined)).toBe(
      true,
    );
    expect(backend.counters().duplicate).toBe(6);
  });

  test("cannot be delivered to, and the error says so", async () => {
    const { clock, key, daemon, backend, say } = await setup();
    await say("hello");
    const pair = { ours: key, theirs: daemon.publicKey };
    const options = { until: "delivered", timeoutMs: 1000 } as const;
    const delivery = rejectionOf(backend.publish(pair, { payload: bytes("x") }, options));
    expect(await clock.runUntil(delivery)).toEqual(hasCode("unsupported"));
    expect(clock.now()).toBe(1000);
  });

  test("can be delivered to once its key speaks our dialect", async () => {
    const { clock, relay, key, daemon, backend, say } = await setup();
    await say("a word of the old software");
    const successor = createBackend(relay.connect(), { clock });
    await successor.subscribe({ ours: daemon, theirs: key.publicKey });
    const pair = { ours: key, theirs: daemon.publicKey };
    const delivery = backend.publish(pair, { payload: bytes("x") }, { until: "delivered" });
    expect(await clock.runUntil(delivery)).toMatchObject({ instance: successor.instance });
    await successor.close();
  });
});

test("a message without header of a key that has sent headers is marked: it may be an old recording", async () => {
  const { clock, relay, key, daemon, messages, say } = await setup();
  await say("before");
  await relay.inject(
    await sealWithHeader(daemon, key.publicKey, { payload: bytes("with") }, { instance: "ab".repeat(16), sequence: 1 }),
  );
  await say("after");
  await clock.advance(0);
  expect(messages.map(({ message, downgraded }) => [payloadText(message), downgraded])).toEqual([
    ["before", false],
    ["with", false],
    ["after", true],
  ]);
});

test("a peer that has sent headers can be delivered to, though it sent a message without one", async () => {
  const { clock, relay, key, daemon, backend, say } = await setup();
  await say("old");
  await relay.inject(await sealWithHeader(daemon, key.publicKey, {}, { instance: "ab".repeat(16), sequence: 1 }));
  await clock.advance(0);
  const delivery = rejectionOf(
    backend.publish(
      { ours: key, theirs: daemon.publicKey },
      { payload: bytes("x") },
      { until: "delivered", timeoutMs: 1000 },
    ),
  );
  expect(await clock.runUntil(delivery)).toEqual(hasCode("not-delivered"));
});
