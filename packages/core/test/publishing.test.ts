import {
  createBackend,
  decodeMessage,
  type Envelope,
  type EnvelopeTransport,
  encodeEnvelope,
  generatePrivateKey,
  isWiceError,
  type MessageInit,
  open,
  PublicKey,
  WiceError,
} from "@wice/core";
import { createSeededRandom, createVirtualClock } from "@wice/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { collect } from "./support/collect.ts";
import { hasCode, rejectionOf } from "./support/errors.ts";
import { createTestRelay } from "./support/relay.ts";
import { bytes, payloadText } from "./support/text.ts";

const setup = (
  overrides?: (transport: EnvelopeTransport) => Partial<EnvelopeTransport>,
  options: { readonly maxEnvelopeBytes?: number } = {},
) => {
  const clock = createVirtualClock();
  const random = createSeededRandom(1).bytes;
  const relay = createTestRelay();
  const alice = {
    key: generatePrivateKey(),
    backend: createBackend(relay.connect(overrides), { clock, random, ...options }),
  };
  const bob = { key: generatePrivateKey(), backend: createBackend(relay.connect(), { clock, random }) };
  const toBob = { ours: alice.key, theirs: bob.key.publicKey };
  const listen = () => bob.backend.subscribe({ ours: bob.key, theirs: alice.key.publicKey });
  return { clock, relay, alice, bob, toBob, listen };
};
const unavailable = new WiceError("unavailable", "no server", { retryable: true });

describe("publish", () => {
  test("tries the same envelope again after passing failures, and what arrives twice is taken once", async () => {
    const tried: Envelope[] = [];
    const { clock, alice, toBob, listen } = setup((transport) => ({
      async publish(envelope, options) {
        tried.push(envelope);
        const receipt = await transport.publish(envelope, options);
        if (tried.length < 4) throw unavailable;
        return receipt;
      },
    }));
    const { messages } = collect(await listen());
    const receipt = await clock.runUntil(alice.backend.publish(toBob, { payload: bytes("once") }));
    await clock.advance(0);
    expect(receipt.subscribers).toBe(1);
    expect(new Set(tried).size).toBe(1);
    expect(tried.length).toBe(4);
    expect(messages.map(({ message }) => payloadText(message))).toEqual(["once"]);
    expect(clock.pending).toBe(0);
  });

  test("ends after its timeout with what was wrong at last", async () => {
    const { clock, alice, toBob } = setup(() => ({ publish: () => Promise.reject(unavailable) }));
    const error = await clock.runUntil(rejectionOf(alice.backend.publish(toBob, {}, { timeoutMs: 5000 })));
    expect(error).toEqual(hasCode("unavailable"));
    expect((error as WiceError).cause).toBe(unavailable);
    expect((error as WiceError).retryable).toBe(true);
    expect([clock.now(), clock.pending]).toEqual([5000, 0]);
  });

  test("ends after its timeout though the transport never answers", async () => {
    const { clock, alice, toBob } = setup(() => ({ publish: () => new Promise(() => {}) }));
    expect(await clock.runUntil(rejectionOf(alice.backend.publish(toBob, {})))).toEqual(hasCode("unavailable"));
    expect([clock.now(), clock.pending]).toEqual([30_000, 0]);
  });

  test("rejects at once with what the transport refuses with", async () => {
    const refusal = new WiceError("permission-denied", "not you");
    const { clock, alice, toBob } = setup(() => ({ publish: () => Promise.reject(refusal) }));
    expect(await rejectionOf(alice.backend.publish(toBob, {}))).toBe(refusal);
    expect(clock.pending).toBe(0);
  });

  test.each(["accepted", "delivered"] as const)(
    "rejects with internal when the transport throws something that is no WiceError (%s)",
    async (until) => {
      const defect = new TypeError("undefined is not a function");
      const { clock, alice, toBob } = setup(() => ({ publish: () => Promise.reject(defect) }));
      const error = await clock.runUntil(rejectionOf(alice.backend.publish(toBob, { payload: bytes("x") }, { until })));
      expect(error).toEqual(hasCode("internal"));
      expect((error as WiceError).cause).toBe(defect);
    },
  );

  test("waits for longer than a platform's timer can, when told to", async () => {
    let failures = 1;
    const relay = createTestRelay();
    const backend = createBackend(
      relay.connect((transport) => ({
        publish: async (...call) => {
          if (failures-- > 0) throw unavailable;
          return transport.publish(...call);
        },
      })),
      { retry: { initialMs: 50, maxMs: 50 } },
    );
    const pair = { ours: generatePrivateKey(), theirs: generatePrivateKey().publicKey };
    await backend.publish(pair, {}, { timeoutMs: Number.POSITIVE_INFINITY });
    failures = 1;
    await backend.publish(pair, {}, { timeoutMs: 2 ** 31 });
    await backend.close();
  });
});

describe("what is sent is the message as it was at the call", () => {
  test.each(["accepted", "delivered"] as const)("when it was %s", async (until) => {
    const { clock, alice, toBob, listen } = setup();
    const { messages } = collect(await listen());
    const payload = bytes("before");
    const message = { payload, peer: { name: "before" } };
    const publishing = alice.backend.publish(toBob, message, { until });
    payload.set(bytes("AFTER!"));
    message.peer.name = "after";
    await clock.runUntil(publishing);
    await clock.advance(0);
    expect(messages.map(({ message }) => [payloadText(message), message.peer?.name])).toEqual([["before", "before"]]);
  });
});

describe("a message of the wrong shape", () => {
  const secret = "correct horse battery staple";
  const wrong: Record<string, unknown> = {
    "a payload that is text": { payload: secret },
    "credentials that are text": { credentials: secret },
    "a candidate with a port that is text": { candidate: { port: secret } },
  };
  test.each(Object.entries(wrong))("is refused without a word of it: %s", async (_, message) => {
    const { clock, alice, toBob } = setup();
    for (const until of ["accepted", "delivered"] as const) {
      const error = await clock.runUntil(rejectionOf(alice.backend.publish(toBob, message as MessageInit, { until })));
      expect(error).toEqual(hasCode("invalid-argument"));
      expect(JSON.stringify([String(error), (error as Error).stack, String((error as Error).cause)])).not.toContain(
        "horse",
      );
    }
  });
});

describe("the size of an envelope", () => {
  const maxEnvelopeBytes = 2000;

  test("is never above the limit, and the limit is used up to a few bytes", async () => {
    const { clock, relay, alice, bob, toBob, listen } = setup(undefined, { maxEnvelopeBytes });
    await listen();
    let largest = 0;
    for (let payloadBytes = 1700; payloadBytes < 2000; payloadBytes++) {
      for (const until of ["accepted", "delivered"] as const) {
        const publishing = alice.backend.publish(
          toBob,
          { payload: new Uint8Array(payloadBytes) },
          { until, timeoutMs: 1 },
        );
        const error = await clock.runUntil(
          publishing.then(
            () => undefined,
            (error: unknown) => error,
          ),
        );
        if (isWiceError(error, "too-large")) continue;
        const sizes = relay.log.splice(0).map((envelope) => encodeEnvelope(envelope).length);
        largest = Math.max(largest, ...sizes);
      }
    }
    expect(largest).toBeLessThanOrEqual(maxEnvelopeBytes);
    expect(largest).toBeGreaterThan(maxEnvelopeBytes - 32);
    expect(bob.backend.counters().malformed).toBe(0);
  });

  test("is known at once, though nobody is there to deliver to", async () => {
    const { clock, relay, alice, toBob } = setup(undefined, { maxEnvelopeBytes });
    const message = { payload: new Uint8Array(maxEnvelopeBytes) };
    for (const until of ["accepted", "delivered"] as const) {
      expect(await rejectionOf(alice.backend.publish(toBob, message, { until }))).toEqual(hasCode("too-large"));
    }
    expect(clock.now()).toBe(0);
    expect(relay.log).toEqual([]);
  });

  test("does not depend on how many messages went before", async () => {
    const { alice, toBob } = setup(undefined, { maxEnvelopeBytes });
    const fits = (payloadBytes: number) =>
      alice.backend.publish(toBob, { payload: new Uint8Array(payloadBytes) }).then(
        () => true,
        () => false,
      );
    let most = maxEnvelopeBytes;
    while (!(await fits(most))) most -= 1;
    for (let i = 0; i < 300; i++) await alice.backend.publish(toBob, {});
    expect(await fits(most)).toBe(true);
    expect(await fits(most + 1)).toBe(false);
  });
});

test("a message to a group key carries a peer, and any other only what it was given", async () => {
  const { relay, alice, bob, toBob } = setup();
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.option(fc.string(), { nil: undefined }), async (group, name) => {
      const message = name === undefined ? { payload: bytes("x") } : { payload: bytes("x"), peer: { name } };
      await alice.backend.publish(toBob, message, { group });
      const sent = decodeMessage(await open(bob.key, relay.log.pop() as Envelope));
      expect(sent.peer?.name).toBe(name ?? (group ? "" : undefined));
    }),
    { numRuns: 20 },
  );
});

test("what a caller cannot mean is refused before anything is sent", async () => {
  const { relay, alice, toBob } = setup();
  const refused = (message: MessageInit, options: Parameters<typeof alice.backend.publish>[2], pair = toBob) =>
    rejectionOf(alice.backend.publish(pair, message, options));
  for (const timeoutMs of [0, -1, Number.NaN])
    expect(await refused({}, { timeoutMs })).toEqual(hasCode("invalid-argument"));
  for (const recipientInstance of ["", "ab", "G".repeat(32), "AB".repeat(16), "ab".repeat(17)]) {
    expect(await refused({}, { recipientInstance })).toEqual(hasCode("invalid-argument"));
  }
  expect(await refused({ header: {} }, {})).toEqual(hasCode("invalid-argument"));
  expect(await refused({}, {}, { ...toBob, theirs: PublicKey.any })).toEqual(hasCode("invalid-argument"));
  expect(await refused({}, {}, { ...toBob, theirs: alice.key.publicKey })).toEqual(hasCode("equal-keys"));
  expect(relay.log).toEqual([]);
});
