/** A verdict that people are shown: what is over in a moment is no trouble, and is not told. */

import type { Verdict, VerdictCode } from "@wice/core";

/** So long a new trouble has to last. */
const calmMs = 1_000;

/** What every session goes through, for some milliseconds, until the other side has answered. */
const passing: ReadonlySet<VerdictCode> = new Set(["not-heard", "nobody-subscribed", "relay-unreachable"]);

const connecting: Verdict = { code: "connecting", text: "the other side is being called", next: "wait a moment" };

/** To be asked again and again: a trouble that lasts is told with the first call after a second of it. */
export function createCalm(now: () => number = () => performance.now()): (verdict: Verdict) => Verdict {
  let sinceMs: number | undefined;
  return (verdict) => {
    if (!passing.has(verdict.code)) {
      sinceMs = undefined;
      return verdict;
    }
    sinceMs ??= now();
    return now() - sinceMs < calmMs ? connecting : verdict;
  };
}
