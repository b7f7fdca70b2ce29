import { createBackend, type Envelope, generatePrivateKey, PublicKey, randomBytes } from "@wice/core";
import { createSeededRandom, createVirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { collect } from "./support/collect.ts";
import { createCountingX25519 } from "./support/counting-x25519.ts";
import { createTestRelay } from "./support/relay.ts";
import { sealPlain, sealWithHeader } from "./support/signed.ts";
import { bytes, payloadText } from "./support/text.ts";

const setup = (
  options: { readonly strangers?: { burst: number; perSecond: number }; readonly maxStrangers?: number } = {},
) => {
  const clock = createVirtualClock();
  const relay = createTestRelay();
  const x25519 = createCountingX25519();
  const key = generatePrivateKey({ x25519 });
  const backend = createBackend(relay.connect(), { clock, random: createSeededRandom(1).bytes, ...options });
  const forge = (sender: PublicKey): Envelope => ({
    sender,
    recipient: key.publicKey,
    body: randomBytes(60),
    nonce: randomBytes(24),
  });
  return { clock, relay, key, backend, forge, agreements: x25519.agreements };
};

/** A key that is one in form; nobody needs to hold it. */
function anyKey(): PublicKey {
  const raw = randomBytes(32);
  raw[31] = (raw[31] as number) & 0x3f;
  return PublicKey.fromBytes(raw);
}

describe("strangers cannot buy CPU", () => {
  test("an envelope of a sender whom no subscription wants causes no key agreement", async () => {
    const { clock, relay, key, backend, forge, agreements } = setup();
    const wanted = generatePrivateKey();
    const { messages } = collect(await backend.subscribe({ ours: key, theirs: wanted.publicKey }));
    for (let i = 0; i < 1000; i++) await relay.inject(forge(anyKey()));
    await clock.advance(0);
    expect(agreements).toEqual([]);
    expect(backend.counters().unwanted).toBe(1000);
    await relay.inject(await sealPlain(wanted, key.publicKey, { payload: bytes("hello") }));
    await clock.advance(0);
    expect(messages.length).toBe(1);
    expect(agreements.map(String)).toEqual([wanted.publicKey.toString()]);
  });

  test("where anybody is wanted, unknown senders cause a burst of agreements, then so many a second", async () => {
    const { clock, relay, key, backend, forge, agreements } = setup();
    await backend.subscribe({ ours: key, theirs: PublicKey.any });
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < 200; i++) await relay.inject(forge(anyKey()));
      await clock.advance(1000);
    }
    expect(agreements.length).toBe(64 + 4 * 32);
    const { forged, throttled } = backend.counters();
    expect([forged, throttled]).toEqual([agreements.length, 1000 - agreements.length]);
  });

  test("forgeries in the name of one key cost one agreement, and leave the budget to others", async () => {
    const { clock, relay, key, backend, forge, agreements } = setup({ strangers: { burst: 2, perSecond: 0 } });
    const { messages } = collect(await backend.subscribe({ ours: key, theirs: PublicKey.any }));
    const victim = anyKey();
    for (let i = 0; i < 500; i++) await relay.inject(forge(victim));
    const honest = generatePrivateKey();
    await relay.inject(await sealPlain(honest, key.publicKey, { payload: bytes("hello") }));
    await clock.advance(0);
    expect(messages.length).toBe(1);
    expect(agreements.length).toBe(2);
  });

  test("a peer that the application has named is heard however many forge", async () => {
    const { clock, relay, key, backend, forge, agreements } = setup({ strangers: { burst: 0, perSecond: 0 } });
    const friend = generatePrivateKey();
    const { messages } = collect(await backend.subscribe({ ours: key, theirs: friend.publicKey }));
    await backend.subscribe({ ours: key, theirs: PublicKey.any });
    for (let i = 0; i < 300; i++) await relay.inject(forge(i % 2 === 0 ? anyKey() : friend.publicKey));
    await relay.inject(await sealPlain(friend, key.publicKey, { payload: bytes("hello") }));
    await clock.advance(0);
    expect(messages.map(({ message }) => payloadText(message))).toEqual(["hello"]);
    expect(agreements.length).toBe(1);
  });
});

describe("an honest stranger, once it has shown that it holds its key,", () => {
  test("is remembered though thousands forge, and needs no budget any more", async () => {
    const { clock, relay, key, backend, forge, agreements } = setup();
    const { messages } = collect(await backend.subscribe({ ours: key, theirs: PublicKey.any }));
    const honest = generatePrivateKey();
    const envelope = await sealPlain(honest, key.publicKey, { payload: bytes("first") });
    await relay.inject(envelope);
    await clock.advance(0);
    // More than there is room for senders that have shown nothing.
    for (let second = 0; second < 20; second++) {
      for (let i = 0; i < 100; i++) await relay.inject(forge(anyKey()));
      await clock.advance(1000);
    }
    for (let i = 0; i < 100; i++) await relay.inject(forge(anyKey()));
    await relay.inject(envelope);
    await relay.inject(await sealPlain(honest, key.publicKey, { payload: bytes("second") }));
    await clock.advance(0);
    expect(messages.map(({ message }) => payloadText(message))).toEqual(["first", "second"]);
    expect(backend.counters().duplicate).toBe(1);
    expect(agreements.filter((each) => each.equals(honest.publicKey)).length).toBe(1);
  });

  test("loses what we remember only to others that hold theirs, and never at a named peer's cost", async () => {
    const { clock, relay, key, backend } = setup({ maxStrangers: 4, strangers: { burst: 1000, perSecond: 0 } });
    const friend = generatePrivateKey();
    const header = { instance: "ab".repeat(16), recipientInstance: backend.instance, sequence: 1 };
    const command = await sealWithHeader(friend, key.publicKey, { payload: bytes("command") }, header);
    await backend.subscribe({ ours: key, theirs: friend.publicKey });
    const { messages } = collect(await backend.subscribe({ ours: key, theirs: PublicKey.any }));
    await relay.inject(command);
    for (let i = 0; i < 20; i++) {
      const stranger = generatePrivateKey();
      await relay.inject(await sealWithHeader(stranger, key.publicKey, { payload: bytes(`${i}`) }, header));
      await clock.advance(0);
      await relay.inject(command);
    }
    await clock.advance(0);
    expect(messages.filter(({ sender }) => sender.equals(friend.publicKey)).length).toBe(1);
    expect(messages.length).toBe(21);
  });
});
