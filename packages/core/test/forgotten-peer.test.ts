import { createBackend, type Envelope, generatePrivateKey, PublicKey } from "@wice/core";
import { createSeededRandom, createVirtualClock } from "@wice/core/testing";
import { expect, test } from "vitest";
import { collect } from "./support/collect.ts";
import { createCountingX25519 } from "./support/counting-x25519.ts";
import { createTestRelay } from "./support/relay.ts";
import { sealWithHeader } from "./support/signed.ts";
import { bytes, payloadText } from "./support/text.ts";

/** Room for one peer of each kind, so that every second one pushes out the first. */
const setup = () => {
  const clock = createVirtualClock();
  const random = createSeededRandom(1).bytes;
  const relay = createTestRelay();
  const peer = () => ({
    key: generatePrivateKey(),
    backend: createBackend(relay.connect(), { clock, random, maxKnownPeers: 1, maxStrangers: 1 }),
  });
  return { clock, relay, peer };
};
type Peer = ReturnType<ReturnType<typeof setup>["peer"]>;
const delivered = { until: "delivered" } as const;
const pair = (from: Peer, to: Peer) => ({ ours: from.key, theirs: to.key.publicKey });

test("a peer whose state was forgotten can still be delivered to", async () => {
  const { clock, peer } = setup();
  const [alice, bob, carol] = [peer(), peer(), peer()];
  const { messages } = collect(await bob.backend.subscribe(pair(bob, alice)));
  await clock.runUntil(alice.backend.publish(pair(alice, bob), { payload: bytes("one") }, delivered));
  await alice.backend.publish(pair(alice, carol), {});
  await clock.runUntil(alice.backend.publish(pair(alice, bob), { payload: bytes("two") }, delivered));
  await clock.advance(0);
  expect(messages.map(({ message }) => payloadText(message))).toEqual(["one", "two"]);
});

test("sequence numbers go on where they were when a peer was forgotten", async () => {
  const { clock, peer } = setup();
  const [alice, bob, carol] = [peer(), peer(), peer()];
  const { messages } = collect(await bob.backend.subscribe(pair(bob, alice)));
  const texts = Array.from({ length: 10 }, (_, i) => `number ${i}`);
  for (const text of texts) {
    await alice.backend.publish(pair(alice, bob), { payload: bytes(text) });
    await alice.backend.publish(pair(alice, carol), {});
  }
  await clock.advance(0);
  expect(messages.map(({ message }) => payloadText(message))).toEqual(texts);
});

test("a recording of a forgotten stranger's message is not fresh, whoever told the stranger our instance", async () => {
  const { clock, relay, peer } = setup();
  const bob = peer();
  const { messages } = collect(await bob.backend.subscribe({ ours: bob.key, theirs: PublicKey.any }));
  const [mallet, other] = [generatePrivateKey(), generatePrivateKey()];
  // It knows our instance from elsewhere (another key of ours, a link), and bob never wrote to it.
  const header = { instance: "ab".repeat(16), recipientInstance: bob.backend.instance, sequence: 1 };
  const command: Envelope = await sealWithHeader(
    mallet,
    bob.key.publicKey,
    { payload: bytes("open the door") },
    header,
  );
  await relay.inject(command);
  await clock.advance(0);
  await relay.inject(await sealWithHeader(other, bob.key.publicKey, { payload: bytes("push out") }, header));
  await clock.advance(0);
  await relay.inject(command);
  await clock.advance(0);
  expect(messages.map(({ message, fresh }) => [payloadText(message), fresh])).toEqual([
    ["open the door", true],
    ["push out", true],
    ["open the door", false],
  ]);
});

test("a recording of a forgotten instance of a peer is not fresh", async () => {
  const { clock, relay, peer } = setup();
  const bob = peer();
  const mallet = generatePrivateKey({ x25519: createCountingX25519() });
  const { messages } = collect(await bob.backend.subscribe({ ours: bob.key, theirs: mallet.publicKey }));
  // A program that is started for each command has a new instance each time.
  const envelopes: Envelope[] = [];
  for (let i = 0; i < 1100; i++) {
    const header = { instance: i.toString(16).padStart(32, "0"), recipientInstance: bob.backend.instance, sequence: 1 };
    envelopes.push(await sealWithHeader(mallet, bob.key.publicKey, { payload: bytes(`${i}`) }, header));
  }
  for (const envelope of envelopes) await relay.inject(envelope);
  await clock.advance(0);
  expect(messages.slice(0, 1000).every(({ fresh }) => fresh)).toBe(true);
  const before = messages.length;
  for (const envelope of envelopes) await relay.inject(envelope);
  await clock.advance(0);
  expect(messages.slice(before).filter(({ fresh }) => fresh)).toEqual([]);
});
