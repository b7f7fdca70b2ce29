/** How long receipts of one peer take, so that what is under way is not sent again, and again acknowledged. */

import { type Backoff, type BackoffOptions, createBackoff } from "../async/backoff.ts";
import type { RandomBytes } from "../bytes.ts";

export interface RoundTrip {
  /** The delays between tries of what is sent next. */
  delays(): Backoff;
  /** A receipt came for what was sent `tries` times, the last time `tookMs` ago. */
  took(tookMs: number, tries: number): void;
}

/** The first delay, in round trips: with its jitter of half, still one and a half. */
const patience = 3;

/**
 * As TCP does (RFC 6298): a receipt for what was sent once tells the time; one for what was sent several times does not
 * tell which of them it is for (Karn), so that the delay that was long enough at last is kept until one does.
 */
export function createRoundTrip(retry: BackoffOptions, random: RandomBytes): RoundTrip {
  let smoothedMs: number | undefined;
  let firstMs = retry.initialMs;
  const within = (ms: number): number => Math.min(Math.max(ms, retry.initialMs), retry.maxMs);
  return {
    delays: () => createBackoff({ initialMs: firstMs, maxMs: retry.maxMs }, random),
    took(tookMs, tries) {
      if (tries > 1) {
        firstMs = Math.max(firstMs, within(retry.initialMs * 2 ** (tries - 1)));
        return;
      }
      smoothedMs = smoothedMs === undefined ? tookMs : (7 * smoothedMs + tookMs) / 8;
      firstMs = within(patience * smoothedMs);
    },
  };
}
