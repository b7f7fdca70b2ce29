/** The time of one process, which stops with it. */

import type { Clock } from "@wice/core";

export interface MortalClock {
  readonly clock: Clock;
  /** No timer of the process fires any more. */
  stop(): void;
}

export function createMortalClock(clock: Clock): MortalClock {
  const timers = new Set<ReturnType<Clock["schedule"]>>();
  let alive = true;
  return {
    clock: {
      now: clock.now,
      schedule(delayMs, callback) {
        if (!alive) return { cancel() {} };
        const timer = clock.schedule(delayMs, () => {
          timers.delete(timer);
          callback();
        });
        timers.add(timer);
        return {
          cancel() {
            timers.delete(timer);
            timer.cancel();
          },
        };
      },
    },
    stop() {
      alive = false;
      for (const timer of timers) timer.cancel();
      timers.clear();
    },
  };
}
