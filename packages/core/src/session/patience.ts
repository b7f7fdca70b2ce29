/** How long somebody waits: the shortest of all the times that were set for it. */

import type { Clock, Timer } from "../async/clock.ts";

export interface Patience {
  /** Aborts when the time is over. */
  readonly signal: AbortSignal;
  /** No longer than this from now on; what was to be over sooner stays so. */
  atMost(ms: number): void;
  /** Nobody waits any more. */
  stop(): void;
}

export function createPatience(clock: Clock): Patience {
  const over = new AbortController();
  let endsAtMs = Number.POSITIVE_INFINITY;
  let timer: Timer | undefined;

  return {
    signal: over.signal,
    atMost(ms) {
      const atMs = clock.now() + ms;
      if (atMs >= endsAtMs) return;
      endsAtMs = atMs;
      timer?.cancel();
      timer = clock.schedule(ms, () => over.abort());
    },
    stop: () => timer?.cancel(),
  };
}
