/** How soon a peer is called again. */

import { expect, test } from "vitest";
import { createPauses } from "../../src/cli/pauses.ts";

test("each pause is twice as long as the one before, up to the longest, and short again after what has lasted", () => {
  const pauses = createPauses({ leastMs: 500, mostMs: 30_000 });
  let nowMs = 1_000;
  const after = (lastedMs: number): number => {
    nowMs += lastedMs;
    const pauseMs = pauses.next(nowMs);
    nowMs += pauseMs;
    return pauseMs;
  };
  expect([after(0), after(100), after(30_000), after(20)]).toEqual([500, 1_000, 2_000, 4_000]);
  expect([after(0), after(0), after(0), after(0)]).toEqual([8_000, 16_000, 30_000, 30_000]);
  expect([after(30_001), after(0)]).toEqual([500, 1_000]);
});
