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

/** The longest that another side may tell us to wait, in milliseconds. */
const maxRetryAfterMs = 60_000;

/** How long to wait after a failure: what the backoff says, or what the other side asked for if that is longer. */
export function retryDelay(delays: Backoff, retryAfterMs: number | undefined): number {
  const asked = Number.isFinite(retryAfterMs) ? Math.min(retryAfterMs as number, maxRetryAfterMs) : 0;
  return Math.max(delays.next(), asked);
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
