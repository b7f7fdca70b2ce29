/** Everything between one of our keys and one of the peer's: what it is, and what can happen to it. */

import type { AgentName } from "../agent/agent.ts";
import type { Instance } from "../backend/backend.ts";
import { stepAttempt } from "./attempt.ts";
import {
  type Attempt,
  type AttemptContext,
  type AttemptEffect,
  type AttemptEvent,
  createAttempt,
} from "./attempt-state.ts";
import type { Close, Description } from "./description.ts";
import type { DaemonSaid, DaemonState, Dialect } from "./dialect.ts";
import type { Input } from "./input.ts";

export interface PeeringContext extends AttemptContext {
  /** How long a session that was lost is tried to be had again, in milliseconds: ours, and those that the peer began. */
  readonly reconnectMs: number;
  readonly reconnectIncomingMs: number;
  /** For daemons, where there is an agent that can talk to them. */
  readonly dialect?: Dialect | undefined;
}

export interface Peering {
  readonly attempts: readonly Attempt[];
  readonly sessions: readonly Held[];
  /** The application waits for a session. */
  readonly wanted: boolean;
  /** The number of the next session. */
  readonly nextSession: number;
  /** What the peer may still cause us to do: refilled with time. */
  readonly budget: Budget;
  /** Connections that the peer may still have us replace: of their own, so that no chatter takes them from it. */
  readonly replacements: Budget;
  /** When something was last done to find an instance of the peer. */
  readonly askedAtMs: number;
  readonly askAgainAtMs: number | undefined;
  /** A peer that ended an attempt is left alone until then. */
  readonly askNotBeforeMs: number;
  /** Somebody has declined our call; another instance may still take it. */
  readonly declinedAtMs: number | undefined;
  /** How often our credentials for a daemon may still change before its own do. */
  readonly renewals: number;
  /** When a daemon may be called at the earliest. */
  readonly renewNotBeforeMs: number;
  /** The last words of attempts that are over, by our session id: to be repeated to a peer that has not heard them. */
  readonly lastWords: readonly { readonly id: string; readonly close: Close }[];
}

interface Budget {
  readonly tokens: number;
  readonly atMs: number;
}

/** A session that the application has. */
export interface Held {
  readonly number: number;
  /** The attempt that carries it; it may be over already, and no other found yet. */
  readonly attempt: string;
  /** It stays the same: applications count on what its channels are. */
  readonly agent: AgentName;
  /** The peer is a cunīcu daemon. */
  readonly daemon: boolean;
  /** The peer began it, and the application has not asked for it. */
  readonly incoming: boolean;
  /** The application has closed it, and it waits for what was sent to arrive. No other instance gets anything of that. */
  readonly closing: boolean;
  readonly connected: boolean;
  readonly lostAtMs: number | undefined;
  /** When its path last answered, and when the peer's instance was last asked in vain, over the path and the backend. */
  readonly aliveAtMs: number;
  readonly deadAtMs: number;
  /** Since when it is asked, if it is. */
  readonly askedSinceMs: number | undefined;
}

/** Whether a key may start a session with us: `tell` declines in words. */
export type Welcome = "yes" | "no" | "tell";

export type PeeringEvent =
  /** The application wants a session, or no longer waits for one. */
  | { readonly type: "want"; readonly wanted: boolean }
  /** A message of the peer's. */
  | {
      readonly type: "message";
      readonly instance: Instance;
      readonly description: Description;
      readonly welcome: Welcome;
    }
  | { readonly type: "daemon"; readonly said: DaemonSaid; readonly welcome: Welcome }
  | { readonly type: "attempt"; readonly attempt: string; readonly event: AttemptEvent }
  /** The path of an attempt has answered a probe. */
  | { readonly type: "answered"; readonly attempt: string }
  /** The application closes a session, which goes on until what was sent has arrived. */
  | { readonly type: "closing"; readonly session: number }
  /** The application is done with a session. */
  | { readonly type: "close"; readonly session: number; readonly reason: string }
  | { readonly type: "close-all"; readonly reason: string }
  | { readonly type: "restart"; readonly session: number }
  | { readonly type: "network-changed" }
  | { readonly type: "tick" };

/**
 * - `closed`: by us;
 * - `closed-by-peer`: by the peer's application, or because the peer does not have the session any more;
 * - `lost`: no path for longer than `reconnectMs`, or `reconnectIncomingMs`;
 * - `other-instance`: the peer goes on with another instance of our key;
 * - `declined`: the peer does not want to talk to our key any more.
 */
export type EndCause = "closed-by-peer" | "closed" | "lost" | "other-instance" | "declined";

export type PeeringEffect =
  | { readonly type: "attempt"; readonly attempt: Attempt; readonly effect: AttemptEffect }
  /** An attempt has become a session of the application's. */
  | { readonly type: "established"; readonly session: number; readonly attempt: string; readonly incoming: boolean }
  /** A session goes on with another attempt: the peer has restarted, or was replaced. */
  | { readonly type: "moved"; readonly session: number; readonly attempt: string }
  | { readonly type: "lost"; readonly session: number }
  | { readonly type: "recovered"; readonly session: number }
  | { readonly type: "ended"; readonly session: number; readonly cause: EndCause; readonly reason: string }
  /** An attempt is over that was no session, or is none any more. */
  | { readonly type: "attempt-ended"; readonly attempt: string; readonly cause: EndCause | "expired" }
  /** Ask the path of an attempt for an answer. */
  | { readonly type: "probe"; readonly attempt: string }
  /** Nobody will become a session: the peer declines. */
  | { readonly type: "declined" }
  /** The peer is told that what its description is about is over. */
  | { readonly type: "refuse"; readonly instance: Instance; readonly description: Description; readonly close: Close };

/** Attempts of one key at a time. */
export const maxAttempts = 8;
const maxLastWords = 8;
/** What a peer may cause at once, and how often after that. */
const budgetBurst = 8;
const budgetPerMs = 1 / 2_000;

export function createPeering({ nowMs }: Pick<Input, "nowMs">): Peering {
  return {
    attempts: [],
    sessions: [],
    wanted: false,
    nextSession: 1,
    budget: { tokens: budgetBurst, atMs: nowMs },
    replacements: { tokens: budgetBurst, atMs: nowMs },
    askedAtMs: Number.NEGATIVE_INFINITY,
    askAgainAtMs: undefined,
    askNotBeforeMs: nowMs,
    declinedAtMs: undefined,
    renewals: 1,
    renewNotBeforeMs: nowMs,
    lastWords: [],
  };
}

/** Nothing is going on, and nothing is waited for. */
export function isIdle({ attempts, sessions, wanted }: Peering): boolean {
  return attempts.length === 0 && sessions.length === 0 && !wanted;
}

/** What an event is taken in. */
export interface Scene {
  readonly draft: { -readonly [K in keyof Peering]: Peering[K] };
  readonly context: PeeringContext;
  readonly input: Input;
  readonly effects: PeeringEffect[];
}

/** Starts an attempt, and returns its id. */
export function begin(
  scene: Scene,
  given: Pick<Attempt, "instance" | "grounds"> & { readonly daemon?: DaemonState },
): string {
  const { draft, input } = scene;
  // One event starts one attempt at most, but for an answer to it, which a second name keeps apart.
  const isTaken = draft.attempts.some(({ id }) => id === input.freshId);
  const attempt = createAttempt(
    { nowMs: input.nowMs, freshId: isTaken ? input.secondId : input.freshId },
    { ...given, daemon: given.daemon, urgent: draft.wanted },
  );
  draft.attempts = [...draft.attempts, attempt];
  // What answers somebody begins with what that somebody has said.
  if (given.instance === undefined) run(scene, attempt.id, { type: "begin" });
  return attempt.id;
}

/** Runs an event through an attempt. */
export function run({ draft, context, input, effects }: Scene, id: string, event: AttemptEvent): void {
  const before = draft.attempts.find((each) => each.id === id);
  if (before === undefined) return;
  const stepIt = before.daemon === undefined ? stepAttempt : (context.dialect?.stepAttempt ?? stepAttempt);
  const { attempt, effects: made } = stepIt(before, event, context, input);
  draft.attempts = attempt.ended
    ? draft.attempts.filter((each) => each.id !== id)
    : draft.attempts.map((each) => (each.id === id ? attempt : each));
  for (const effect of made) effects.push({ type: "attempt", attempt, effect });
}

/** Ends an attempt; without a close, the peer is not told. */
export function endAttempt(scene: Scene, id: string, cause: EndCause | "expired", close?: Close): void {
  const { draft, effects } = scene;
  if (!draft.attempts.some((each) => each.id === id)) return;
  run(scene, id, { type: "end", close });
  if (close !== undefined) draft.lastWords = [...draft.lastWords, { id, close }].slice(-maxLastWords);
  effects.push({ type: "attempt-ended", attempt: id, cause });
}

export function isHeld({ sessions }: Pick<Peering, "sessions">, { id }: Attempt): boolean {
  return sessions.some(({ attempt }) => attempt === id);
}

export function attemptOf({ attempts }: Pick<Peering, "attempts">, { attempt }: Held): Attempt | undefined {
  return attempts.find(({ id }) => id === attempt);
}

export function update({ draft }: Scene, session: Held): void {
  draft.sessions = draft.sessions.map((each) => (each.number === session.number ? session : each));
}

/** We look for an instance of the peer: the application waits for a session, or one that it wanted is lost. */
export function isCalling({ wanted, sessions }: Pick<Peering, "wanted" | "sessions">): boolean {
  return wanted || sessions.some(({ connected, incoming, closing }) => !connected && !incoming && !closing);
}

export const gone: Close = { cause: "gone", reason: "" };
export const otherInstance: Close = { cause: "other-instance", reason: "" };

/** Takes from what the peer may cause. False when it has caused too much. */
export function spend({ draft, input }: Scene, from: "budget" | "replacements" = "budget"): boolean {
  const { tokens, atMs } = draft[from];
  const now = Math.min(budgetBurst, tokens + (input.nowMs - atMs) * budgetPerMs);
  const enough = now >= 1;
  draft[from] = { tokens: enough ? now - 1 : now, atMs: input.nowMs };
  return enough;
}
