import { createBackend, generatePrivateKey, PublicKey } from "@wice/core";
import {
  createFaultyTransport,
  createSeededRandom,
  createVirtualClock,
  type FaultyTransport,
} from "@wice/core/testing";
import { expect, test } from "vitest";
import { collect } from "./support/collect.ts";
import { createTestRelay } from "./support/relay.ts";
import { bytes } from "./support/text.ts";

/** Two peers whose envelopes are late by so much. */
async function meet(delayMs: number) {
  const clock = createVirtualClock();
  const seeded = createSeededRandom(3);
  const relay = createTestRelay();
  const transports: FaultyTransport[] = [];
  const peer = () => {
    const transport = createFaultyTransport(relay.connect(), {
      ...{ clock, random: seeded, faults: { delayMs: [delayMs, delayMs] } },
    });
    transports.push(transport);
    return { key: generatePrivateKey(), backend: createBackend(transport, { clock, random: seeded.bytes }) };
  };
  const [alice, bob] = [peer(), peer()];
  const subscribed = bob.backend.subscribe({ ours: bob.key, theirs: PublicKey.any });
  const { messages } = collect(await clock.runUntil(subscribed));
  const send = (text: string): Promise<unknown> =>
    alice.backend.publish(
      { ours: alice.key, theirs: bob.key.publicKey },
      { payload: bytes(text) },
      { until: "delivered", timeoutMs: 600_000 },
    );
  /** What the medium carries from now until `run` is over and nothing more is under way. */
  const carried = async (run: () => Promise<unknown>): Promise<number> => {
    const before = relay.log.length;
    await clock.runUntil(run());
    await clock.advance(20_000);
    return relay.log.length - before;
  };
  const delay = (ms: number): void => {
    for (const transport of transports) transport.inject({ delayMs: [ms, ms] });
  };
  return { clock, relay, alice, bob, messages, send, carried, delay };
}

test("on a slow medium, a message that is under way is not sent again and again", async () => {
  const { send, carried, messages } = await meet(900);
  for (let i = 0; i < 5; i++) await carried(() => send(`first ${i}`));
  const count = 20;
  const total = await carried(() => Promise.all(Array.from({ length: count }, (_, i) => send(`then ${i}`))));
  // One message and one receipt for each is the least, and receipts may share an envelope.
  expect(total).toBeLessThanOrEqual(2 * count);
  expect(messages).toHaveLength(5 + count);
});

test("where publishing takes long, the first answers are waited for, too", async () => {
  const clock = createVirtualClock();
  const { bytes: random } = createSeededRandom(7);
  const relay = createTestRelay();
  const connect = () =>
    relay.connect(({ publish }) => ({
      async publish(envelope, options) {
        await new Promise<void>((resolve) => clock.schedule(1_000, resolve));
        return await publish(envelope, options);
      },
    }));
  const [alice, bob] = [
    { key: generatePrivateKey(), backend: createBackend(connect(), { clock, random }) },
    { key: generatePrivateKey(), backend: createBackend(connect(), { clock, random }) },
  ];
  collect(await bob.backend.subscribe({ ours: bob.key, theirs: PublicKey.any }));
  const pair = { ours: alice.key, theirs: bob.key.publicKey };
  await clock.runUntil(alice.backend.publish(pair, { payload: bytes("hello") }, { until: "delivered" }));
  await clock.advance(20_000);
  // Who is there? I am. A message. I have it.
  expect(relay.log).toHaveLength(4);
});

test("once the medium is fast again, a lost message is soon sent again", async () => {
  const { clock, relay, alice, send, carried, delay } = await meet(900);
  for (let i = 0; i < 5; i++) await carried(() => send(`slow ${i}`));
  delay(1);
  for (let i = 0; i < 20; i++) await carried(() => send(`fast ${i}`));
  let lost = 1;
  relay.filter = ({ sender }) => !(sender.equals(alice.key.publicKey) && lost-- > 0);
  const start = clock.now();
  await clock.runUntil(send("lost at first"));
  expect(clock.now() - start).toBeLessThan(450);
});

test("a receipt that is under way is not sent a second time for the same message", async () => {
  const clock = createVirtualClock();
  const { bytes: random } = createSeededRandom(5);
  const relay = createTestRelay();
  let slow = false;
  let receipts = 0;
  const accept: (() => void)[] = [];
  const transport = relay.connect(({ publish }) => ({
    async publish(envelope, options) {
      receipts += 1;
      if (slow) await new Promise<void>((resolve) => accept.push(resolve));
      return await publish(envelope, options);
    },
  }));
  const [alice, bob] = [
    { key: generatePrivateKey(), backend: createBackend(relay.connect(), { clock, random }) },
    { key: generatePrivateKey(), backend: createBackend(transport, { clock, random }) },
  ];
  collect(await bob.backend.subscribe({ ours: bob.key, theirs: PublicKey.any }));
  const send = (text: string): Promise<unknown> =>
    alice.backend.publish(
      { ours: alice.key, theirs: bob.key.publicKey },
      { payload: bytes(text) },
      { until: "delivered", timeoutMs: 600_000 },
    );
  await clock.runUntil(send("acquainted"));
  slow = true;
  receipts = 0;
  const sent = send("slowly taken");
  while (bob.backend.counters().duplicate === 0) await clock.advance(10);
  slow = false;
  for (const each of accept) each();
  await clock.runUntil(sent);
  await clock.advance(20_000);
  expect(receipts).toBe(1);
});
