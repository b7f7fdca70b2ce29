import { createSeededRandom } from "@wice/core/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createBackoff } from "../src/async/backoff.ts";

test("delays double up to their limit, each within half of its mean, and start over when told", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 0, max: 12 }),
      (seed, initialMs, doublings) => {
        const maxMs = initialMs * 2 ** doublings;
        const backoff = createBackoff({ initialMs, maxMs }, createSeededRandom(seed).bytes);
        for (let round = 0; round < 2; round++) {
          for (let i = 0; i < 15; i++) {
            const mean = Math.min(initialMs * 2 ** i, maxMs);
            const delay = backoff.next();
            expect(delay).toBeGreaterThanOrEqual(mean * 0.5);
            expect(delay).toBeLessThan(mean * 1.5);
          }
          backoff.reset();
        }
      },
    ),
  );
});

test("delays of many are spread over the whole range", () => {
  const { bytes } = createSeededRandom(1);
  const delays = Array.from({ length: 2000 }, () => createBackoff({ initialMs: 100, maxMs: 100 }, bytes).next());
  for (let from = 50; from < 150; from += 10) {
    const share = delays.filter((delay) => delay >= from && delay < from + 10).length / delays.length;
    expect(share).toBeGreaterThan(0.07);
    expect(share).toBeLessThan(0.13);
  }
});
