import { createBackend, createInProcessNetwork, generatePrivateKey, WiceError } from "@wice/core";
import { createVirtualClock } from "@wice/core/testing";
import { expect, test } from "vitest";
import { hasCode, rejectionOf } from "./support/errors.ts";

test.each([
  ["a retry that never waits", { retry: { initialMs: 0, maxMs: 100 } }],
  ["a retry whose longest delay is the shorter one", { retry: { initialMs: 200, maxMs: 100 } }],
  ["an endless retry delay", { retry: { initialMs: 1, maxMs: Number.POSITIVE_INFINITY } }],
  ["no envelope size", { maxEnvelopeBytes: 0 }],
  ["a negative linger", { lingerMs: -1 }],
  ["a budget for strangers that is no number", { strangers: { burst: Number.NaN, perSecond: 1 } }],
  ["half a peer", { maxKnownPeers: 0.5 }],
])("a backend with %s is refused", (_, options) => {
  const transport = createInProcessNetwork().connect();
  expect(() => createBackend(transport, options)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
});

test("an empty message is not delivered: nobody would get it", async () => {
  await using backend = createBackend(createInProcessNetwork().connect());
  const pair = { ours: generatePrivateKey(), theirs: generatePrivateKey().publicKey };
  expect(await rejectionOf(backend.publish(pair, {}, { until: "delivered" }))).toEqual(hasCode("invalid-argument"));
});

test.each([
  ["no number", Number.NaN],
  ["eleven days", 1e9],
])("a server that asks to wait for %s is neither hammered nor obeyed for ever", async (_, retryAfterMs) => {
  const clock = createVirtualClock();
  let tries = 0;
  const busy = {
    ...createInProcessNetwork().connect(),
    subscribe() {
      tries += 1;
      return Promise.reject(new WiceError("resource-exhausted", "busy", { retryable: true, retryAfterMs }));
    },
  };
  const backend = createBackend(busy, { clock });
  const pair = { ours: generatePrivateKey(), theirs: generatePrivateKey().publicKey };
  const end = new AbortController();
  const subscription = rejectionOf(backend.subscribe(pair, { signal: end.signal }));
  await clock.advance(120_500);
  expect(tries).toBeGreaterThan(1);
  expect(tries).toBeLessThan(100);
  end.abort();
  await subscription;
  await backend.close();
});
