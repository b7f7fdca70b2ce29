import {
  createBackend,
  type DropReason,
  type Envelope,
  encodeMessage,
  generatePrivateKey,
  type KeyPair,
  PublicKey,
  seal,
} from "@wice/core";
import { createSeededRandom, createVirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { replayWindowSize } from "../src/backend/replay-window.ts";
import { collect } from "./support/collect.ts";
import { createTestRelay } from "./support/relay.ts";
import { sealPlain, sealWithHeader } from "./support/signed.ts";
import { bytes, payloadText } from "./support/text.ts";

const friend = generatePrivateKey();
const stranger = generatePrivateKey();
const mine = generatePrivateKey();
const theirs = "ab".repeat(16);
const toMe: KeyPair = { ours: friend, theirs: mine.publicKey };

interface Attack {
  readonly reason: DropReason;
  /** What the relay hands over; `good` was taken before. */
  make(good: Envelope): Promise<Envelope | Envelope[]>;
}

const attacks: Record<string, Attack> = {
  "one that was taken before": { reason: "duplicate", make: async (good) => good },
  "one without header that was taken before": {
    reason: "duplicate",
    async make() {
      return sealPlain(friend, mine.publicKey, { payload: bytes("plain") }).then((plain) => [plain, plain]);
    },
  },
  "one with a bit turned": {
    reason: "forged",
    async make(good) {
      const body = new Uint8Array(good.body);
      body[20] = (body[20] as number) ^ 1;
      return { ...good, body };
    },
  },
  "one with a tag and nothing else": {
    reason: "forged",
    make: async (good) => ({ ...good, body: new Uint8Array(16) }),
  },
  "one that another sealed in the name of a friend": {
    reason: "forged",
    make: async () => ({ ...(await sealPlain(stranger, mine.publicKey, {})), sender: friend.publicKey }),
  },
  "one that holds no message": { reason: "malformed", make: async () => seal(toMe, Uint8Array.of(0x0a, 0xff)) },
  "one for another key": { reason: "wrong-recipient", make: async () => sealPlain(friend, stranger.publicKey, {}) },
  "one in our own name": { reason: "reflected", make: async (good) => ({ ...good, sender: mine.publicKey }) },
  "one of ours, sent back": {
    reason: "reflected",
    async make() {
      const ours = await sealWithHeader(
        mine,
        friend.publicKey,
        { payload: bytes("mine") },
        { instance: theirs, sequence: 9 },
      );
      return { ...ours, sender: friend.publicKey, recipient: mine.publicKey };
    },
  },
  "one for another instance of our key": {
    reason: "other-instance",
    make: async () =>
      sealWithHeader(
        friend,
        mine.publicKey,
        { payload: bytes("x") },
        { instance: theirs, recipientInstance: "cd".repeat(16), sequence: 9 },
      ),
  },
  "one with a header that makes no sense": {
    reason: "malformed",
    make: async () => sealWithHeader(friend, mine.publicKey, { payload: bytes("x") }, { instance: "ab", sequence: 9 }),
  },
  "one so old that it cannot be told from a duplicate": {
    reason: "stale",
    async make() {
      const at = (sequence: number) => sealWithHeader(friend, mine.publicKey, {}, { instance: theirs, sequence });
      return [await at(2 + replayWindowSize), await at(2)];
    },
  },
  "one in the name of the key that stands for anybody": {
    reason: "malformed",
    make: async (good) => ({ ...good, sender: PublicKey.any }),
  },
};

describe("a stranger's envelope never reaches the application, nor ends its subscription:", () => {
  test.each(Object.entries(attacks))("%s", async (_, { reason, make }) => {
    const clock = createVirtualClock();
    const relay = createTestRelay();
    const smuggled = new Map<string, Envelope>();
    const transport = relay.connect((inner) => ({
      async subscribe(...call) {
        const subscription = await inner.subscribe(...call);
        return {
          close: () => subscription.close(),
          async *[Symbol.asyncIterator]() {
            for await (const envelope of subscription) yield smuggled.get(envelope.nonce.join()) ?? envelope;
          },
        };
      },
    }));
    const backend = createBackend(transport, { clock, random: createSeededRandom(1).bytes });
    const { messages } = collect(await backend.subscribe({ ours: mine, theirs: PublicKey.any }));
    const good = await sealWithHeader(
      friend,
      mine.publicKey,
      { payload: bytes("good") },
      { instance: theirs, sequence: 1 },
    );
    await relay.inject(good);
    await clock.advance(0);
    const before = backend.counters();
    for (const envelope of [await make(good)].flat()) {
      // Whatever it says, the relay puts it on our subscription.
      smuggled.set(envelope.nonce.join(), envelope);
      await relay.inject({ ...envelope, recipient: mine.publicKey });
    }
    await clock.advance(0);
    const after = backend.counters();
    const changed = Object.entries(after).filter(([name, count]) => count !== before[name as DropReason]);
    expect(changed).toEqual([[reason, 1]]);
    await relay.inject(
      await sealWithHeader(
        friend,
        mine.publicKey,
        { payload: bytes("later") },
        { instance: theirs, sequence: 10 + 2 * replayWindowSize },
      ),
    );
    await clock.advance(0);
    expect(messages.map(({ message }) => payloadText(message)).filter((text) => text !== "plain")).toEqual([
      "good",
      "later",
    ]);
    await backend.close();
  });
});

test("unknown fields and enum values in a message are for the application to see", async () => {
  const clock = createVirtualClock();
  const relay = createTestRelay();
  const backend = createBackend(relay.connect(), { clock });
  const { messages } = collect(await backend.subscribe({ ours: mine, theirs: friend.publicKey }));
  const content = Uint8Array.from([...encodeMessage({ candidate: { type: 77 as 1 } }), 0x82, 0x7d, 1, 42]);
  await relay.inject(await seal(toMe, content));
  await clock.advance(0);
  expect(messages[0]?.message.candidate?.type).toBe(77);
  expect(messages[0]?.message.$unknown?.[0]?.data).toEqual(Uint8Array.of(1, 42));
});
