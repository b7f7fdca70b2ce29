import { createBackend, generatePrivateKey, PublicKey } from "@wice/core";
import { createSeededRandom, createVirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { replayWindowSize } from "../src/backend/replay-window.ts";
import { collect } from "./support/collect.ts";
import { createTestRelay } from "./support/relay.ts";
import { bytes, payloadText } from "./support/text.ts";

const setup = () => {
  const clock = createVirtualClock();
  const random = createSeededRandom(1).bytes;
  const relay = createTestRelay();
  const peer = (key = generatePrivateKey()) => ({ key, backend: createBackend(relay.connect(), { clock, random }) });
  return { clock, relay, peer };
};
const delivered = { until: "delivered" } as const;

describe("unacknowledged messages never span more than half the recipient's window", () => {
  test("when thousands are handed over at once, all arrive though most first tries are lost", async () => {
    const { clock, relay, peer } = setup();
    const [alice, bob] = [peer(), peer()];
    const { messages } = collect(
      await bob.backend.subscribe({ ours: bob.key, theirs: alice.key.publicKey }, { maxQueuedMessages: 10_000 }),
    );
    // Of what alice sends, nothing of the first minute's first thousand arrives before the rest.
    let held = 1000;
    relay.filter = ({ sender, body }) => !(sender.equals(alice.key.publicKey) && body.length > 60 && held-- > 0);
    const count = 3000;
    const sent = Array.from({ length: count }, (_, i) =>
      alice.backend.publish(
        { ours: alice.key, theirs: bob.key.publicKey },
        { payload: bytes(`number ${i}`) },
        { ...delivered, timeoutMs: 600_000 },
      ),
    );
    await clock.runUntil(Promise.all(sent));
    expect(new Set(messages.map(({ message }) => payloadText(message))).size).toBe(count);
    expect(messages.length).toBe(count);
    expect(bob.backend.counters().stale).toBe(0);
  });

  test("however long the recipient's queue is full", async () => {
    const { clock, peer } = setup();
    const [alice, bob] = [peer(), peer()];
    const subscription = await bob.backend.subscribe(
      { ours: bob.key, theirs: alice.key.publicKey },
      { maxQueuedMessages: 1 },
    );
    const send = (text: string) =>
      alice.backend.publish(
        { ours: alice.key, theirs: bob.key.publicKey },
        { payload: bytes(text) },
        { ...delivered, timeoutMs: 24 * 3_600_000 },
      );
    await clock.runUntil(send("first"));
    const second = send("second");
    // Every try asks again who is there; each question must not take a number of its own for ever.
    await clock.advance(3 * replayWindowSize * 4000);
    const { messages } = collect(subscription);
    await clock.runUntil(second);
    await clock.advance(0);
    expect(messages.map(({ message }) => payloadText(message))).toEqual(["first", "second"]);
  });

  test("however long the recipient is absent", async () => {
    const { clock, peer } = setup();
    const [alice, bob] = [peer(), peer()];
    const send = alice.backend.publish(
      { ours: alice.key, theirs: bob.key.publicKey },
      { payload: bytes("late") },
      { ...delivered, timeoutMs: 24 * 3_600_000 },
    );
    await clock.advance(3 * replayWindowSize * 4000);
    const { messages } = collect(await bob.backend.subscribe({ ours: bob.key, theirs: PublicKey.any }));
    await clock.runUntil(send);
    await clock.advance(0);
    expect(messages.map(({ message }) => payloadText(message))).toEqual(["late"]);
  });
});
