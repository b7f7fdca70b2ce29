/** One of several transports: whether it works, and when it is worth a try. */

import type { Backoff } from "../async/backoff.ts";
import type { Clock } from "../async/clock.ts";
import { onAbort } from "../async/signal.ts";
import type { Envelope } from "../envelope.ts";
import { asWiceError, WiceError, type WiceErrorCode } from "../errors.ts";
import type { EnvelopeTransport, TransportReceipt } from "./transport.ts";

export interface MemberHealth {
  readonly name: string;
  /** `"unknown"` until something was tried. */
  readonly state: "unknown" | "up" | "down";
  /** Why it is down. */
  readonly error: WiceError | undefined;
}

export interface Member {
  readonly name: string;
  readonly transport: EnvelopeTransport;
  readonly health: MemberHealth;
  readonly isDown: boolean;
  /** It is down, but may be tried again now. */
  readonly isDue: boolean;
  publish(envelope: Envelope, signal: AbortSignal): Promise<TransportReceipt>;
  works(): void;
  fails(error: WiceError): void;
}

export interface MemberDependencies {
  readonly clock: Clock;
  /** Between tries to publish while it is down. */
  readonly delays: Backoff;
  onUp(): void;
  onDown(error: WiceError): void;
}

/** Publications that may wait for an answer: one that never answers must not keep everybody's envelopes. */
const maxPending = 64;
/** Longer than our own transports wait: whatever they are, one that works again is not kept waiting by calls of before. */
const patienceMs = 15_000;

/** What a transport says of the envelope or of the moment, and not of itself. */
const harmless: readonly WiceErrorCode[] = ["invalid-envelope", "too-large", "resource-exhausted", "closed"];

export function createMember(
  name: string,
  transport: EnvelopeTransport,
  { clock, delays, onUp, onDown }: MemberDependencies,
): Member {
  let state: MemberHealth["state"] = "unknown";
  let reason: WiceError | undefined;
  let dueAtMs = 0;
  let pending = 0;

  const works = (): void => {
    if (state === "up") return;
    state = "up";
    reason = undefined;
    delays.reset();
    onUp();
  };
  const fails = (error: WiceError): void => {
    if (harmless.includes(error.code)) return;
    const was = state;
    state = "down";
    reason = error;
    dueAtMs = clock.now() + delays.next();
    if (was !== "down") onDown(error);
  };
  const isStuck = (): boolean => pending >= maxPending;

  return {
    name,
    transport,
    works,
    fails,
    get health() {
      return { name, state, error: reason };
    },
    get isDown() {
      return state === "down" || isStuck();
    },
    get isDue() {
      return !isStuck() && clock.now() >= dueAtMs;
    },
    async publish(envelope, signal) {
      if (isStuck())
        throw new WiceError("unavailable", `${name} leaves ${pending} calls unanswered`, { retryable: true });
      // Until this try ends, the next ones need not hang at the same place.
      if (state === "down") dueAtMs = Number.POSITIVE_INFINITY;
      pending += 1;
      const scope = new AbortController();
      const forget = onAbort(signal, () => scope.abort(signal.reason));
      const timer = clock.schedule(patienceMs, () => {
        scope.abort(
          new WiceError("unavailable", `${name} did not answer within ${patienceMs} ms`, { retryable: true }),
        );
      });
      try {
        const receipt = await transport.publish(envelope, { signal: scope.signal });
        works();
        return receipt;
      } catch (error) {
        if (signal.aborted) {
          // The caller lost patience, which says nothing: the next one may try.
          dueAtMs = Math.min(dueAtMs, clock.now() + delays.next());
          throw error;
        }
        const known = asWiceError(error, name);
        fails(known);
        throw known;
      } finally {
        timer.cancel();
        forget();
        pending -= 1;
      }
    },
  };
}
