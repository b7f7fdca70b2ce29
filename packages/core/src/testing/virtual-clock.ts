/** Time that passes when a test says so. */

import type { Clock } from "../async/clock.ts";

export interface VirtualClock extends Clock {
  /** Timers that wait. */
  readonly pending: number;
  /** Lets everything that is due within `durationMs` happen, in order, and what follows from it. */
  advance(durationMs: number): Promise<void>;
  /**
   * Lets time pass for as long as it takes until the promise settles, and returns what it resolves to. Rejects when
   * nothing is left that could settle it.
   */
  runUntil<T>(promise: Promise<T>): Promise<T>;
}

export interface VirtualClockOptions {
  /** When `runUntil` gives up, in milliseconds of virtual time. Default one day. */
  readonly limitMs?: number;
}

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock that starts at 0 and stands still.
 *
 * ```ts
 * const clock = createVirtualClock();
 * const backend = createBackend(transport, { clock });
 * await clock.runUntil(backend.publish(pair, message, { until: "delivered" }));
 * ```
 */
export function createVirtualClock({ limitMs = 86_400_000 }: VirtualClockOptions = {}): VirtualClock {
  let now = 0;
  let created = 0;
  const timers = new Set<Scheduled>();

  const next = (): Scheduled | undefined => {
    let first: Scheduled | undefined;
    for (const timer of timers) {
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer;
    }
    return first;
  };
  const fire = (timer: Scheduled): void => {
    timers.delete(timer);
    now = Math.max(now, timer.at);
    timer.callback();
  };

  return {
    get pending() {
      return timers.size;
    },
    now: () => now,
    schedule(delayMs, callback) {
      const timer = { at: now + Math.max(0, delayMs), order: created++, callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    async advance(durationMs) {
      const end = now + durationMs;
      for (;;) {
        await settled();
        const timer = next();
        if (timer === undefined || timer.at > end) break;
        fire(timer);
      }
      now = end;
    },
    async runUntil(promise) {
      let done = false;
      const finish = (): void => {
        done = true;
      };
      promise.then(finish, finish);
      const end = now + limitMs;
      for (;;) {
        await settled();
        if (done) return promise;
        const timer = next();
        if (timer === undefined) throw new Error("no timer is left that could settle the promise");
        if (timer.at > end) throw new Error(`the promise did not settle within ${limitMs} ms of virtual time`);
        fire(timer);
      }
    },
  };
}

/** Resolves when all promise callbacks that could run have run: after the present task. */
async function settled(): Promise<void> {
  const immediate = (globalThis as { setImmediate?: (callback: () => void) => unknown }).setImmediate;
  if (immediate !== undefined) return new Promise((resolve) => void immediate(resolve));
  const { port1, port2 } = new MessageChannel();
  await new Promise<void>((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(undefined);
  });
  port1.close();
}
