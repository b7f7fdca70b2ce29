import { describe, expect, test } from "vitest";
import { runSchedule } from "./schedule.ts";

const first = Number(process.env.WICE_SEED ?? Date.now() % 1_000_000_000);
const total = Number(process.env.WICE_SCHEDULES ?? 1000);
const chunk = 100;

describe(`delivery over ${total} fault schedules, seeds from ${first} (WICE_SEED repeats them)`, () => {
  const sums = { delivered: 0, restarts: 0, envelopes: 0, failed: {} as Record<string, number> };

  test.each(Array.from({ length: Math.ceil(total / chunk) }, (_, i) => i * chunk))(
    "schedules from %i",
    async (from) => {
      for (let i = from; i < Math.min(from + chunk, total); i++) {
        const { delivered, restarts, envelopes, failed } = await runSchedule(first + i);
        sums.delivered += delivered;
        sums.restarts += restarts;
        sums.envelopes += envelopes;
        for (const [code, count] of Object.entries(failed)) sums.failed[code] = (sums.failed[code] ?? 0) + count;
      }
    },
  );

  test("most messages arrive in spite of it, and the rest fail with a type", () => {
    console.log(JSON.stringify({ first, total, ...sums }));
    expect(sums.delivered).toBeGreaterThan(5 * total);
    expect(sums.restarts).toBeGreaterThan(total / 2);
  });
});
