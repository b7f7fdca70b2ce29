/** How long to wait before a peer that has closed the session is called again. */

export interface Pauses {
  /** In milliseconds, from `nowMs` on. */
  next(nowMs: number): number;
}

export interface PausesOptions {
  readonly leastMs: number;
  readonly mostMs: number;
}

/** Each is twice as long as the one before; the least after whatever has lasted for longer than the most. */
export function createPauses({ leastMs, mostMs }: PausesOptions): Pauses {
  let pauseMs = 0;
  let overAtMs = 0;
  return {
    next(nowMs) {
      pauseMs = nowMs - overAtMs > mostMs ? leastMs : Math.min(Math.max(leastMs, 2 * pauseMs), mostMs);
      overAtMs = nowMs + pauseMs;
      return pauseMs;
    },
  };
}
