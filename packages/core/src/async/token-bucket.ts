/** A budget that refills with time. */

import type { Clock } from "./clock.ts";

export interface TokenBucket {
  /** Takes one token; false when there is none. */
  take(): boolean;
}

export function createTokenBucket(clock: Clock, burst: number, perSecond: number): TokenBucket {
  let tokens = burst;
  let refilledAt = clock.now();
  return {
    take() {
      const now = clock.now();
      tokens = Math.min(burst, tokens + ((now - refilledAt) / 1000) * perSecond);
      refilledAt = now;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
