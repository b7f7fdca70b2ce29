import { createVirtualClock } from "@wice/core/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createTokenBucket } from "../src/async/token-bucket.ts";

test("in no span of time are there more tokens than a burst and what flows in, and never fewer for one who waits", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.tuple(fc.nat(3000), fc.nat(60)), { maxLength: 30 }),
      async (burst, perSecond, visits) => {
        const clock = createVirtualClock();
        const bucket = createTokenBucket(clock, burst, perSecond);
        const taken: number[] = [];
        for (const [waitMs, tries] of visits) {
          await clock.advance(waitMs);
          for (let i = 0; i < tries; i++) if (bucket.take()) taken.push(clock.now());
        }
        for (const [from, start] of taken.entries()) {
          for (let to = from; to < taken.length; to++) {
            const seconds = ((taken[to] as number) - start) / 1000;
            expect(to - from + 1).toBeLessThanOrEqual(burst + seconds * perSecond + 1e-6);
          }
        }
        await clock.advance((burst / perSecond) * 1000 + 1);
        for (let i = 0; i < burst; i++) expect(bucket.take()).toBe(true);
        expect(bucket.take()).toBe(false);
      },
    ),
    { numRuns: 100 },
  );
});

test("a bucket without burst lets nothing through, however long one waits", async () => {
  const clock = createVirtualClock();
  const bucket = createTokenBucket(clock, 0, 100);
  await clock.advance(3_600_000);
  expect(bucket.take()).toBe(false);
});
