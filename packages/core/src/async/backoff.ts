/** How long to wait before trying again. */

import type { RandomBytes } from "../bytes.ts";

export interface BackoffOptions {
  /** The mean of the first delay, in milliseconds. */
  readonly initialMs: number;
  /** The mean of the longest delay, in milliseconds. */
  readonly maxMs: number;
}

/** Exponential delays, each within ± 50 % of its mean, so that many who lost one server do not return as one. */
export interface Backoff {
  /** The next delay, in milliseconds. */
  next(): number;
  reset(): void;
}

export function createBackoff({ initialMs, maxMs }: BackoffOptions, random: RandomBytes): Backoff {
  let mean = initialMs;
  return {
    next() {
      const [high = 0, low = 0] = random(2);
      const delay = mean * (0.5 + (high * 256 + low) / 65_536);
      mean = Math.min(2 * mean, maxMs);
      return delay;
    },
    reset() {
      mean = initialMs;
    },
  };
}
