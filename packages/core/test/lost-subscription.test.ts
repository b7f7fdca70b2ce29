import { WiceError } from "@wice/core";
import { lostSubscription } from "@wice/core/transport";
import { expect, test } from "vitest";

test("a live subscription that the server ends can be had again, whatever the server says", () => {
  const refusal = new WiceError("unauthenticated", "the relay answered Unauthenticated");
  expect(lostSubscription(refusal)).toMatchObject({
    code: "unavailable",
    retryable: true,
    retryAfterMs: undefined,
    message: "the subscription was lost: the relay answered Unauthenticated",
    cause: refusal,
  });
});

test("it keeps how long to wait", () => {
  const quota = new WiceError("resource-exhausted", "too many", { retryable: true, retryAfterMs: 1234 });
  expect(lostSubscription(quota)).toMatchObject({ code: "unavailable", retryable: true, retryAfterMs: 1234 });
});

test("what says so already stays as it is", () => {
  const lost = new WiceError("unavailable", "the relay stops", { retryable: true, retryAfterMs: 5 });
  expect(lostSubscription(lost)).toBe(lost);
});

test("what was closed on purpose is not had again", () => {
  const closed = new WiceError("closed", "the transport is closed");
  expect(lostSubscription(closed)).toBe(closed);
});
