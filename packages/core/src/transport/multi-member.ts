/** One of several transports: whether it works, and when it is worth a try. */

import type { Backoff } from "../async/backoff.ts";
import type { Clock } from "../async/clock.ts";
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
  /** Several members may share the scope of one publication. */
  publish(envelope: Envelope, scope: AbortController): Promise<TransportReceipt>;
  /** Ends publications that have waited too long for an answer. */
  giveUp(): void;
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
/** Longer than our own transports wait. One that has no time limit and works again must not stay away for calls of before. */
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
  const pending = new Map<AbortController, number>();

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
  const isStuck = (): boolean => pending.size >= maxPending;

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
    async publish(envelope, scope) {
      const { signal } = scope;
      if (isStuck())
        throw new WiceError("unavailable", `${name} leaves ${pending.size} calls unanswered`, { retryable: true });
      // Until this try ends, the next ones need not hang at the same place.
      if (state === "down") dueAtMs = Number.POSITIVE_INFINITY;
      pending.set(scope, clock.now());
      try {
        const receipt = await transport.publish(envelope, { signal });
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
        pending.delete(scope);
      }
    },
    giveUp() {
      for (const [scope, startedAtMs] of pending) {
        if (clock.now() - startedAtMs < patienceMs) return;
        const late = new WiceError("unavailable", `${name} does not answer`, { retryable: true });
        fails(late);
        scope.abort(late);
      }
    },
  };
}
