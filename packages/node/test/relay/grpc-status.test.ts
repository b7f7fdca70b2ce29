import fc from "fast-check";
import { expect, test } from "vitest";
import { percentEncode, timeoutMs, trailersOf } from "../../src/relay/grpc-status.ts";

test("a message travels in printable ASCII, and comes back by percent-decoding", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const encoded = percentEncode(text);
      expect(encoded).toMatch(/^[ -~]*$/);
      expect(decodeURIComponent(encoded)).toBe(text);
    }),
  );
  expect(percentEncode("100 % of “this”\n")).toBe("100 %25 of %E2%80%9Cthis%E2%80%9D%0A");
});

test("a refusal can say when to come again", () => {
  expect(trailersOf({ code: "resource-exhausted", message: "later", retryAfterMs: 12.3 })).toEqual({
    "grpc-status": "8",
    "grpc-message": "later",
    "grpc-retry-pushback-ms": "13",
  });
});

test.each([
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["30S", 30_000],
  ["250m", 250],
  ["5000u", 5],
  ["1n", 1],
  ["0m", 1],
  ["99999999H", 359_999_996_400_000],
  [undefined, Number.POSITIVE_INFINITY],
])("grpc-timeout %s is %d ms", (header, ms) => {
  expect(timeoutMs(header)).toBe(ms);
});

test.each(["", "1", "m", "-1m", "1.5S", "1s", "123456789m", "1m ", "0x1m"])(
  "grpc-timeout %j is malformed",
  (header) => {
    expect(timeoutMs(header)).toBeNaN();
  },
);
