import { createInProcessNetwork, type Envelope, generatePrivateKey, type PublicKey, randomBytes } from "@wice/core";
import { createFaultyTransport, createVirtualClock, type Faults } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { hasCode, rejectionOf } from "./support/errors.ts";

const [alice, bob] = [generatePrivateKey().publicKey, generatePrivateKey().publicKey];
const count = 1000;

interface Run {
  readonly sent: readonly Envelope[];
  readonly failures: number;
  readonly arrived: readonly Envelope[];
  readonly reflected: readonly Envelope[];
}

const id = ({ nonce }: Envelope): string => nonce.join();

/** Sends a thousand envelopes from alice to bob, one every ten milliseconds. */
async function run(faults: Faults, seed = 1): Promise<Run> {
  const clock = createVirtualClock();
  const network = createInProcessNetwork({ maxQueuedEnvelopes: 10_000 });
  const faulty = createFaultyTransport(network.connect(), { faults, seed, clock });
  const collect = async (key: PublicKey): Promise<Envelope[]> => {
    const list: Envelope[] = [];
    const subscription = await network.connect().subscribe(key);
    void (async () => {
      for await (const envelope of subscription) list.push(envelope);
    })();
    return list;
  };
  const [arrived, reflected] = [await collect(bob), await collect(alice)];
  const sent: Envelope[] = [];
  let failures = 0;
  for (let i = 0; i < count; i++) {
    // The same envelopes in each run, so that runs can be compared.
    const nonce = new Uint8Array(24).fill(i >> 8, 0, 1).fill(i & 255, 1);
    const envelope = { sender: alice, recipient: bob, body: new Uint8Array(40).fill(i & 255), nonce };
    sent.push(envelope);
    await faulty.publish(envelope).catch((error: unknown) => {
      expect(error).toEqual(hasCode("unavailable"));
      failures += 1;
    });
    await clock.advance(10);
  }
  await clock.advance(60_000);
  await faulty.close();
  expect(clock.pending).toBe(0);
  return { sent, failures, arrived, reflected };
}

const copies = ({ arrived }: Run): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const envelope of arrived) counts.set(id(envelope), (counts.get(id(envelope)) ?? 0) + 1);
  return counts;
};
/** Within five standard deviations of what the probability says. */
const likely = (times: number, probability: number): void => {
  const deviation = Math.sqrt(count * probability * (1 - probability));
  expect(Math.abs(times - count * probability)).toBeLessThan(5 * deviation);
};

describe("a faulty transport", () => {
  test("without faults changes nothing", async () => {
    const { arrived, sent, failures, reflected } = await run({});
    expect([arrived, failures, reflected]).toEqual([sent, 0, []]);
  });

  test("loses", async () => {
    const done = await run({ loss: 0.3 });
    likely(done.arrived.length, 0.7);
    expect(Math.max(...copies(done).values())).toBe(1);
  });

  test("duplicates", async () => {
    const done = await run({ duplication: 0.3 });
    likely(done.arrived.length - count, 0.3);
    expect(copies(done).size).toBe(count);
    expect(Math.max(...copies(done).values())).toBe(2);
  });

  test("replays older envelopes unaltered", async () => {
    const done = await run({ replay: 0.3 });
    likely(done.arrived.length - count, 0.3);
    expect(copies(done).size).toBe(count);
    const bodies = new Map(done.sent.map((envelope) => [id(envelope), envelope.body.join()]));
    for (const envelope of done.arrived) expect(envelope.body.join()).toBe(bodies.get(id(envelope)));
  });

  test("reflects to the sender, in the name of the recipient", async () => {
    const done = await run({ reflection: 0.3 });
    likely(done.reflected.length, 0.3);
    for (const { sender, recipient } of done.reflected)
      expect([sender.equals(bob), recipient.equals(alice)]).toEqual([true, true]);
    expect(done.arrived.length).toBe(count);
  });

  test("turns a single bit of the body, and leaves the sender's own envelope alone", async () => {
    const done = await run({ corruption: 0.3 });
    const before = new Map(done.sent.map((envelope) => [id(envelope), envelope]));
    let corrupted = 0;
    for (const envelope of done.arrived) {
      const original = before.get(id(envelope)) as Envelope;
      const turned = envelope.body.reduce(
        (sum, byte, i) => sum + (byte ^ (original.body[i] as number)).toString(2).replaceAll("0", "").length,
        0,
      );
      expect(turned).toBeLessThanOrEqual(1);
      corrupted += turned;
      expect(new Set(original.body).size).toBe(1);
    }
    likely(corrupted, 0.3);
  });

  test("fails to publish, in half of the cases though the envelope arrives", async () => {
    const done = await run({ failure: 0.4 });
    likely(done.failures, 0.4);
    likely(done.arrived.length, 0.8);
  });

  test("delays, so that envelopes overtake each other", async () => {
    const done = await run({ delayMs: [0, 200] });
    expect(copies(done).size).toBe(count);
    const order = done.arrived.map((envelope) => done.sent.findIndex((sent) => id(sent) === id(envelope)));
    expect(order.filter((position, i) => i > 0 && position < (order[i - 1] as number)).length).toBeGreaterThan(
      count / 10,
    );
  });

  test("does the same for the same seed, and something else for another", async () => {
    const faults: Faults = {
      loss: 0.2,
      duplication: 0.2,
      replay: 0.2,
      reflection: 0.2,
      corruption: 0.2,
      failure: 0.2,
      delayMs: [0, 100],
    };
    const [first, second, other] = [await run(faults, 7), await run(faults, 7), await run(faults, 8)];
    expect(second).toEqual(first);
    expect(other.arrived).not.toEqual(first.arrived);
  });

  test("loses subscriptions, at once when told to, and a cut subscription gets nothing more", async () => {
    const network = createInProcessNetwork();
    const faulty = createFaultyTransport(network.connect(), { clock: createVirtualClock() });
    const [first, second] = [await faulty.subscribe(bob), await faulty.subscribe(bob)];
    const ends = [first, second].map((subscription) => rejectionOf(subscription[Symbol.asyncIterator]().next()));
    faulty.cut();
    for (const end of ends) expect(await end).toMatchObject({ code: "unavailable", retryable: true });
    const envelope = { sender: alice, recipient: bob, body: randomBytes(20), nonce: randomBytes(24) };
    expect((await network.connect().publish(envelope)).subscribers).toBe(0);
  });

  test("is healed by injecting nothing", async () => {
    const faulty = createFaultyTransport(createInProcessNetwork().connect(), { faults: { failure: 1 } });
    expect(await rejectionOf(faulty.subscribe(bob))).toEqual(hasCode("unavailable"));
    faulty.inject({});
    await (await faulty.subscribe(bob)).close();
    await faulty.close();
  });

  test("that was closed publishes nothing, and leaves no timer", async () => {
    const clock = createVirtualClock();
    const faulty = createFaultyTransport(createInProcessNetwork().connect(), { faults: { delayMs: [10, 10] }, clock });
    const envelope = { sender: alice, recipient: bob, body: randomBytes(20), nonce: randomBytes(24) };
    await faulty.publish(envelope);
    await faulty.close();
    expect(await rejectionOf(faulty.publish(envelope))).toEqual(hasCode("closed"));
    expect(clock.pending).toBe(0);
  });
});
