import fc from "fast-check";
import { expect, test } from "vitest";
import { createReplayWindow, replayWindowSize } from "../src/backend/replay-window.ts";

/** Numbers near the front, and jumps of all sizes. */
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: -40, max: 40 }) },
    { weight: 2, arbitrary: fc.integer({ min: -replayWindowSize - 80, max: replayWindowSize + 80 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 40 }) },
  ),
  { maxLength: 400 },
);

test("a window is at least as wide as the design asks", () => {
  expect(replayWindowSize).toBeGreaterThanOrEqual(1024);
});

test("a window answers as a set of all numbers would, but for those behind its width or floor", () => {
  fc.assert(
    fc.property(fc.nat(5000), steps, (floor, distances) => {
      const window = createReplayWindow(floor);
      const marked = new Set<number>();
      let highest = floor;
      for (const distance of distances) {
        const sequence = Math.max(1, highest + distance);
        const expected =
          sequence > highest
            ? "new"
            : sequence <= floor || highest - sequence >= replayWindowSize
              ? "stale"
              : marked.has(sequence)
                ? "seen"
                : "new";
        expect(window.look(sequence)).toBe(expected);
        if (expected !== "new") continue;
        window.mark(sequence);
        marked.add(sequence);
        highest = Math.max(highest, sequence);
        expect(window.highest).toBe(highest);
        expect(window.look(sequence)).toBe("seen");
      }
    }),
  );
});

test("the largest number that a header can carry is told apart", () => {
  const window = createReplayWindow();
  window.mark(Number.MAX_SAFE_INTEGER);
  expect(window.look(Number.MAX_SAFE_INTEGER)).toBe("seen");
  expect(window.look(Number.MAX_SAFE_INTEGER - 1)).toBe("new");
  expect(window.look(1)).toBe("stale");
});
