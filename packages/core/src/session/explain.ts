/**
 * Why a session is not connected. Nothing is remembered for it: it is read off the state of the attempts and what was
 * seen of each, so that nothing old is said of something new.
 */

import type { ServerError } from "../agent/agent.ts";
import type { Instance } from "../backend/backend.ts";
import type { WiceError } from "../errors.ts";
import { type Attempt, isConnected } from "./attempt-state.ts";
import { attemptOf, type Held, isHeld, type Peering } from "./peering-state.ts";
import {
  agentFailed,
  connected,
  connecting,
  forged,
  noAgent,
  nobodySubscribed,
  noCommonAgent,
  noPath,
  notHeard,
  reconnecting,
  relayUnreachable,
  turnRefused,
  type Verdict,
} from "./verdict.ts";

/** What an attempt has met, beside what its state says. It goes with the attempt. */
export interface Encounters {
  /** The latest message that the backend has taken, and to how many it gave it, where it knows. */
  readonly sent: { readonly subscribers: number | undefined } | undefined;
  /** What the backend has against the latest message. */
  readonly sendError: WiceError | undefined;
  /** Why there is no connection. */
  readonly failure: WiceError | undefined;
  /** What the agent has refused to do last. */
  readonly refusal: WiceError | undefined;
  /** What a TURN server has against the present look for a path, and against the one before, while this one goes on. */
  readonly turnError: ServerError | undefined;
  readonly turnErrorBefore: ServerError | undefined;
}

/** All that a verdict depends on. */
export interface Circumstances {
  readonly peering: Pick<Peering, "attempts" | "sessions">;
  encounters(attempt: string): Encounters | undefined;
  /** Why our key cannot be called now. */
  readonly deaf: WiceError | undefined;
  readonly hasTurn: boolean;
  /** How the latest attempt ended, if there is none now. */
  readonly last: Verdict | undefined;
  /** Why the attempt before had no path to its instance: until more is known of this one, that is the best guess. */
  readonly earlier: { readonly instance: Instance | undefined; readonly verdict: Verdict } | undefined;
}

/** Of all that goes on with a peer, the best; and the one thing that stands in its way most. */
export function explain(now: Circumstances): Verdict {
  const { attempts, sessions } = now.peering;
  const session = sessions.find((each) => each.connected) ?? sessions[0];
  if (session !== undefined) return explainSession(session, now);
  const attempt = best(attempts);
  if (attempt !== undefined) return explainAttempt(attempt, now);
  if (now.last === undefined) return connecting("the first message is being prepared");
  return { ...now.last, next: "wait: it is tried again in a moment" };
}

export function explainSession(session: Held, now: Circumstances): Verdict {
  if (session.connected) return connected;
  const { peering } = now;
  const attempt = attemptOf(peering, session) ?? best(peering.attempts.filter((each) => !isHeld(peering, each)));
  return reconnecting(attempt === undefined ? undefined : signalingVerdict(attempt, now));
}

export function explainAttempt(attempt: Attempt, now: Circumstances): Verdict {
  if (isConnected(attempt)) return connected;
  const { failure, refusal, sent }: Partial<Encounters> = now.encounters(attempt.id) ?? {};
  if (failure !== undefined) return noAgent(failure);
  if (attempt.noCommonAgent) return noCommonAgent;
  // Who has answered, and gets on, needs no signaling at the moment.
  const isUnderWay = attempt.confirmed && attempt.trouble === undefined;
  const signaling = isUnderWay ? undefined : signalingVerdict(attempt, now);
  if (signaling !== undefined) return signaling;
  if (!isHeard(attempt)) {
    if (sent !== undefined) return notHeard;
    // Without a description there is nothing to send.
    if (refusal !== undefined) return agentFailed(refusal);
    return connecting("the relay is being reached, and the first message prepared");
  }
  const path = explainPath(attempt, now);
  if (path !== undefined) return path;
  if (refusal !== undefined) return agentFailed(refusal);
  const { earlier } = now;
  if (earlier !== undefined && earlier.instance === attempt.instance) return earlier.verdict;
  return connecting("the peer was heard, and addresses are being tried");
}

/** Why no path was found, if none was. */
export function explainPath({ id, trouble }: Attempt, { encounters, hasTurn }: Circumstances): Verdict | undefined {
  const { turnError, turnErrorBefore }: Partial<Encounters> = encounters(id) ?? {};
  const error = turnError ?? turnErrorBefore;
  if (trouble === "forged") return forged;
  if (error !== undefined && isRefusal(error)) return turnRefused(error);
  return trouble === undefined ? undefined : noPath(hasTurn, error);
}

/** What is in the way of messages. */
function signalingVerdict({ id }: Attempt, { encounters, deaf }: Circumstances): Verdict | undefined {
  const { sendError, sent }: Partial<Encounters> = encounters(id) ?? {};
  const error = sendError ?? deaf;
  if (error !== undefined) return relayUnreachable(error);
  return sent?.subscribers === 0 ? nobodySubscribed : undefined;
}

/** One with the instance that has come farthest, later ones before earlier ones; of those with it, who knows it longest. */
function best(attempts: readonly Attempt[]): Attempt | undefined {
  const most = Math.max(...attempts.map(rank));
  const equals = attempts.filter((attempt) => rank(attempt) === most).toSorted((a, b) => a.startedAtMs - b.startedAtMs);
  const latest = equals.at(-1);
  return equals.find(({ instance }) => instance === latest?.instance);
}

function rank(attempt: Attempt): number {
  return isConnected(attempt) ? 3 : attempt.confirmed ? 2 : isHeard(attempt) ? 1 : 0;
}

/** A daemon is called by name, whether it has ever said a word or not. */
function isHeard({ instance, daemon }: Attempt): boolean {
  return daemon?.heard ?? instance !== undefined;
}

/** As STUN and TURN define them (RFC 8489, section 14.8; RFC 8656, section 19). */
export function isRefusal({ code }: ServerError): boolean {
  return code === 401 || code === 403 || code === 438;
}
