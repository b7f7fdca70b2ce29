/** The sessions that the application has: which attempt carries them, and when another one does. */

import type { AgentName } from "../agent/agent.ts";
import { type Attempt, isConnected } from "./attempt-state.ts";
import type { Close } from "./description.ts";
import {
  attemptOf,
  type EndCause,
  endAttempt,
  gone,
  type Held,
  isHeld,
  otherInstance,
  type PeeringContext,
  run,
  type Scene,
  update,
} from "./peering-state.ts";
import { timing } from "./timing.ts";

/** Brings sessions in line with what their attempts do now, and makes sessions of attempts that have connected. */
export function settleSessions(scene: Scene): void {
  const { draft } = scene;
  for (const session of draft.sessions) follow(scene, session);
  for (const { id } of draft.attempts) {
    // What has happened to one may have ended another.
    const attempt = draft.attempts.find((each) => each.id === id);
    if (attempt !== undefined && isConnected(attempt) && !isHeld(draft, attempt)) land(scene, attempt);
  }
}

/** A session is lost while its attempt is not connected. */
function follow(scene: Scene, session: Held): void {
  const { draft, effects, input } = scene;
  const attempt = attemptOf(draft, session);
  if (attempt !== undefined && isConnected(attempt)) {
    if (session.connected) return;
    carry(scene, session, attempt);
    effects.push({ type: "recovered", session: session.number });
  } else if (session.connected) {
    update(scene, { ...session, connected: false, lostAtMs: input.nowMs });
    if (!session.incoming) draft.askedAtMs = input.nowMs;
    effects.push({ type: "lost", session: session.number });
  }
}

/** The path of an attempt carries a session now: whoever waits for one has it. */
function carry(scene: Scene, session: Held, { id }: Attempt): void {
  const { draft, input } = scene;
  update(scene, {
    ...session,
    ...{ attempt: id, incoming: session.incoming && !draft.wanted, connected: true, lostAtMs: undefined },
    ...{ aliveAtMs: input.nowMs, deadAtMs: Number.NEGATIVE_INFINITY, askedSinceMs: undefined },
  });
  draft.wanted = false;
}

/** An attempt has connected that carries no session: it becomes one, or takes one over whose path is dead. */
function land(scene: Scene, attempt: Attempt): void {
  const { draft, context } = scene;
  const agent = attempt.connection?.agent;
  if (attempt.daemon !== undefined) {
    // There is one of a key, and it has begun anew.
    const session = draft.sessions.find(({ daemon }) => daemon);
    if (session !== undefined) move(scene, session, attempt);
    else if (agent !== undefined) establish(scene, attempt, agent);
    return;
  }
  // Another instance, or the same peer after a restart? Whether the others are still there tells.
  const others = draft.sessions
    .filter(({ daemon }) => !daemon)
    .map((session) => ({
      session,
      presence: presenceOf(scene, session, attempt),
      isTwin: attemptOf(draft, session)?.instance === attempt.instance,
    }))
    // Who comes anew has nothing to do with what is being closed.
    .filter(({ session, presence }) => !session.closing || presence !== "gone");
  const unknown = others.filter(({ presence }) => presence === "unknown");
  for (const { session } of unknown) ask(scene, session);
  if (unknown.length > 0) return;
  const left = others.filter(({ session, presence }) => presence === "gone" && session.agent === agent);
  const moving = left.find(({ isTwin }) => isTwin);
  const twin = others.find(({ isTwin }) => isTwin);
  if (moving === undefined && twin !== undefined) {
    // There is one with this instance already. Of two who could choose, one has to.
    if (context.role === "controlling") endAttempt(scene, attempt.id, "expired", gone);
    return;
  }
  const old = moving ?? left[0];
  if (old === undefined && agent !== undefined) establish(scene, attempt, agent);
  if (old !== undefined) move(scene, old.session, attempt);
}

function establish(scene: Scene, attempt: Attempt, agent: AgentName): void {
  const { draft, effects, input } = scene;
  const session: Held = {
    number: draft.nextSession,
    attempt: attempt.id,
    agent,
    daemon: attempt.daemon !== undefined,
    incoming: !draft.wanted,
    closing: false,
    connected: true,
    lostAtMs: undefined,
    aliveAtMs: input.nowMs,
    deadAtMs: Number.NEGATIVE_INFINITY,
    askedSinceMs: undefined,
  };
  draft.nextSession += 1;
  draft.wanted = false;
  draft.sessions = [...draft.sessions, session];
  effects.push({ type: "established", session: session.number, attempt: attempt.id, incoming: session.incoming });
  if (!session.incoming) releaseOthers(scene, attempt);
}

/** The session goes on with another attempt. */
function move(scene: Scene, session: Held, attempt: Attempt): void {
  const { draft, effects } = scene;
  const old = attemptOf(draft, session);
  carry(scene, session, attempt);
  effects.push({ type: "moved", session: session.number, attempt: attempt.id });
  // Another instance may be gone, or come back; then it is told when it asks.
  if (old !== undefined) endAttempt(scene, old.id, "lost", old.instance === attempt.instance ? gone : undefined);
  if (!session.incoming) releaseOthers(scene, attempt);
}

/** The others that answered our call are not needed. Those that called us are a matter of their own. */
function releaseOthers(scene: Scene, taken: Attempt): void {
  const { draft, context } = scene;
  for (const other of draft.attempts) {
    if (other.id === taken.id || other.grounds !== "call" || isHeld(draft, other)) continue;
    const isTwin = other.instance === taken.instance;
    // The controlling peer chooses between two attempts with one instance.
    if (isTwin && context.role === "controlled") continue;
    endAttempt(scene, other.id, "other-instance", isTwin ? gone : otherInstance);
  }
}

/**
 * Whether the instance that a session is with is still there. A lost path does not tell, since it may be on its way back;
 * a word of the instance's does, which came since there is reason to doubt it.
 */
function presenceOf({ draft, input }: Scene, session: Held, { metAtMs }: Attempt): "there" | "gone" | "unknown" {
  const { connected, lostAtMs, aliveAtMs, deadAtMs } = session;
  const attempt = attemptOf(draft, session);
  if (attempt === undefined) return "gone";
  const heardAtMs = Math.max(aliveAtMs, attempt.heardAtMs);
  const sinceMs = Math.max(metAtMs, input.nowMs - timing.silenceMs);
  if (heardAtMs >= sinceMs) return "there";
  const isLong = !connected && lostAtMs !== undefined && lostAtMs <= input.nowMs - timing.silenceMs;
  return deadAtMs >= sinceMs || (isLong && heardAtMs <= lostAtMs) ? "gone" : "unknown";
}

/** A new attempt may mean that the peer has restarted: are those that we have sessions with still there? */
export function doubt(scene: Scene, newcomer: string): void {
  for (const session of scene.draft.sessions) if (session.attempt !== newcomer) ask(scene, session);
}

/** Asks over the path and over the backend. */
function ask(scene: Scene, session: Held): void {
  // A daemon answers nothing of the kind.
  if (session.askedSinceMs !== undefined || session.daemon) return;
  update(scene, { ...session, askedSinceMs: scene.input.nowMs });
  run(scene, session.attempt, { type: "ask" });
  scene.effects.push({ type: "probe", attempt: session.attempt });
}

export function takeAnswer({ draft, input, ...scene }: Scene, attempt: string): void {
  const session = draft.sessions.find((each) => each.attempt === attempt);
  if (session !== undefined) update({ draft, input, ...scene }, { ...session, aliveAtMs: input.nowMs });
}

/** The peer does not have a session any more, though its application did not end it. False when it is over then. */
export function loseTo(scene: Scene, session: Held, attempt: Attempt): boolean {
  const { draft } = scene;
  if (session.closing) return false;
  const twin = draft.attempts.find(
    (each) => each.id !== attempt.id && each.instance === attempt.instance && isConnected(each) && !isHeld(draft, each),
  );
  if (twin === undefined && session.incoming) return false;
  if (twin !== undefined) move(scene, session, twin);
  else endAttempt(scene, attempt.id, "lost");
  return true;
}

/** Ends a session; without a close, the peer is not told. */
export function endHeld(scene: Scene, session: Held, cause: EndCause, reason: string, close?: Close): void {
  const { draft, effects } = scene;
  draft.sessions = draft.sessions.filter(({ number }) => number !== session.number);
  // The peer is told while there is a connection to tell it over.
  endAttempt(scene, session.attempt, cause, close);
  effects.push({ type: "ended", session: session.number, cause, reason });
}

export function isHeldBy({ id }: Attempt): (session: Held) => boolean {
  return ({ attempt }) => attempt === id;
}

/** Probes that nobody answered, and sessions that were lost for too long. */
export function expireSessions(scene: Scene): void {
  const { draft, context, input } = scene;
  for (const session of draft.sessions) {
    if (askedUntilMs(session) <= input.nowMs) conclude(scene, session);
    if (giveUpAtMs(session, context) <= input.nowMs) endHeld(scene, session, "lost", "no path for too long", gone);
  }
}

/** Somebody was asked long enough. */
function conclude(scene: Scene, session: Held): void {
  const { draft, input } = scene;
  const { askedSinceMs = input.nowMs, aliveAtMs } = session;
  const isPathDead = aliveAtMs < askedSinceMs;
  const isSilent = isPathDead && (attemptOf(draft, session)?.heardAtMs ?? Number.NEGATIVE_INFINITY) < askedSinceMs;
  update(scene, { ...session, askedSinceMs: undefined, deadAtMs: isSilent ? input.nowMs : session.deadAtMs });
  // The agent has not noticed yet.
  if (isPathDead && session.connected) run(scene, session.attempt, { type: "restart" });
}

function askedUntilMs({ askedSinceMs }: Held): number {
  return askedSinceMs === undefined ? Number.POSITIVE_INFINITY : askedSinceMs + timing.probeMs;
}

/** When something is due about a session. */
export function sessionDeadline(session: Held, context: PeeringContext): number {
  return Math.min(askedUntilMs(session), giveUpAtMs(session, context));
}

function giveUpAtMs({ lostAtMs, incoming }: Held, { reconnectMs, reconnectIncomingMs }: PeeringContext): number {
  return lostAtMs === undefined ? Number.POSITIVE_INFINITY : lostAtMs + (incoming ? reconnectIncomingMs : reconnectMs);
}
