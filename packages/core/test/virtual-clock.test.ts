import { createVirtualClock } from "@wice/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rejectionOf } from "./support/errors.ts";

describe("a virtual clock", () => {
  test("fires what is due in the order of time, then of scheduling, and nothing that was cancelled", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(50), fc.boolean()), { maxLength: 30 }),
        fc.nat(60),
        async (timers, durationMs) => {
          const clock = createVirtualClock();
          const fired: [number, number][] = [];
          const handles = timers.map(([delayMs], index) =>
            clock.schedule(delayMs, () => fired.push([clock.now(), index])),
          );
          for (const [index, [, cancelled]] of timers.entries()) if (cancelled) handles[index]?.cancel();
          const due = timers.flatMap(([delayMs, cancelled], index) =>
            cancelled ? [] : [[delayMs, index] as [number, number]],
          );
          await clock.advance(durationMs);
          expect(fired).toEqual(due.filter(([at]) => at <= durationMs).sort((a, b) => a[0] - b[0] || a[1] - b[1]));
          expect([clock.now(), clock.pending]).toEqual([durationMs, due.length - fired.length]);
        },
      ),
    );
  });

  test("lets follow what timers start, and promises settle between them", async () => {
    const clock = createVirtualClock();
    const log: number[] = [];
    const tick = async (): Promise<void> => {
      await new Promise<void>((resolve) => void clock.schedule(10, resolve));
      await Promise.resolve();
      log.push(clock.now());
      if (log.length < 5) await tick();
    };
    await clock.runUntil(tick());
    expect(log).toEqual([10, 20, 30, 40, 50]);
  });

  test("says so when nothing is left that could settle a promise, or not in time", async () => {
    const clock = createVirtualClock({ limitMs: 1000 });
    const never = new Promise(() => {});
    expect(String(await rejectionOf(clock.runUntil(never)))).toContain("no timer is left");
    const again = (): void => void clock.schedule(100, again);
    again();
    expect(String(await rejectionOf(clock.runUntil(never)))).toContain("1000 ms");
    expect(await rejectionOf(clock.runUntil(Promise.reject(new Error("its own"))))).toEqual(new Error("its own"));
  });
});
