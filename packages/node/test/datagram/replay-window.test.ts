import { createSeededRandom } from "@wice/core/testing";
import { expect, test } from "vitest";
import { createReplayWindow, replayWindowSize } from "../../src/datagram/replay-window.ts";

test("takes what a set of all counters would take, within its size", ({ onTestFailed }) => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  onTestFailed(() => console.error(`seed ${seed}`));
  const random = createSeededRandom(seed);
  const window = createReplayWindow();
  const seen = new Set<number>();
  let highest = -1;
  let base = 0;
  for (let step = 0; step < 50_000; step++) {
    if (random.chance(0.001)) base += random.integer(0, 3 * replayWindowSize);
    base += random.chance(0.5) ? 1 : 0;
    const counter = Math.max(0, base - random.integer(0, random.chance(0.05) ? 2 * replayWindowSize : 200));
    const isNew = !seen.has(counter) && counter > highest - replayWindowSize;
    expect(window.isNew(counter)).toBe(isNew);
    if (!isNew) continue;
    window.take(counter);
    seen.add(counter);
    highest = Math.max(highest, counter);
    expect(window.highest).toBe(highest);
  }
});
