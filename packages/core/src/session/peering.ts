/**
 * Everything between one of our keys and one of the peer's, as a pure state machine: attempts with its instances, and the
 * sessions that the application has.
 */

import { attemptDeadline } from "./attempt.ts";
import { type Attempt, isConnected } from "./attempt-state.ts";
import type { Close } from "./description.ts";
import { endHeld, expireSessions, sessionDeadline, settleSessions, takeAnswer } from "./holding.ts";
import type { Input } from "./input.ts";
import {
  attemptOf,
  begin,
  endAttempt,
  type Held,
  isCalling,
  isHeld,
  otherInstance,
  type Peering,
  type PeeringContext,
  type PeeringEffect,
  type PeeringEvent,
  run,
  type Scene,
  update,
} from "./peering-state.ts";
import { declineDeadline, makeRoom, settleDecline, takeMessage } from "./routing.ts";
import { timing } from "./timing.ts";

/** When it wants its next `tick`; `Infinity` for never. */
export function peeringDeadline(peering: Peering, context: PeeringContext): number {
  const { attempts, sessions, askAgainAtMs } = peering;
  return Math.min(
    askAgainAtMs ?? Number.POSITIVE_INFINITY,
    declineDeadline(peering),
    context.dialect?.deadline(peering) ?? Number.POSITIVE_INFINITY,
    ...attempts.map((attempt) => deadlineOf(attempt, context)),
    ...attempts.filter((attempt) => mayExpire(peering, attempt)).map(expiryMs),
    ...sessions.map((session) => sessionDeadline(session, context)),
  );
}

export function stepPeering(
  peering: Peering,
  event: PeeringEvent,
  context: PeeringContext,
  input: Input,
): { readonly peering: Peering; readonly effects: readonly PeeringEffect[] } {
  const scene: Scene = { draft: { ...peering }, context, input, effects: [] };
  take(scene, event);
  context.dialect?.review(scene);
  settleSessions(scene);
  settleDecline(scene);
  withdraw(scene);
  ask(scene);
  setUrgency(scene);
  return { peering: scene.draft, effects: scene.effects };
}

function take(scene: Scene, event: PeeringEvent): void {
  const { draft, input } = scene;
  const session = "session" in event ? draft.sessions.find(({ number }) => number === event.session) : undefined;
  switch (event.type) {
    case "want":
      if (event.wanted) want(scene);
      else draft.wanted = false;
      return;
    case "message":
      takeMessage(scene, event.instance, event.description, event.welcome);
      return;
    case "daemon":
      scene.context.dialect?.take(scene, event.said, event.welcome);
      return;
    case "attempt":
      run(scene, event.attempt, event.event);
      return;
    case "answered":
      takeAnswer(scene, event.attempt);
      return;
    case "closing":
      if (session !== undefined) update(scene, { ...session, closing: true });
      return;
    case "close":
      if (session !== undefined) endInOrder(scene, session, event.reason);
      return;
    case "close-all": {
      const { reason } = event;
      draft.wanted = false;
      for (const each of draft.sessions) endInOrder(scene, each, reason);
      for (const { id } of draft.attempts) endAttempt(scene, id, "closed", { cause: "done", reason });
      return;
    }
    case "restart":
      if (session !== undefined) run(scene, session.attempt, { type: "restart" });
      return;
    case "network-changed":
      for (const { id, connection } of draft.attempts)
        if (connection?.proven === true) run(scene, id, { type: "restart" });
      return;
    case "tick":
      for (const attempt of draft.attempts) {
        if (deadlineOf(attempt, scene.context) <= input.nowMs) run(scene, attempt.id, { type: "tick" });
        if (mayExpire(draft, attempt) && expiryMs(attempt) <= input.nowMs) endAttempt(scene, attempt.id, "expired");
      }
      expireSessions(scene);
  }
}

function endInOrder(scene: Scene, session: Held, reason: string): void {
  endHeld(scene, session, "closed", reason, { cause: "done", reason });
}

function deadlineOf(attempt: Attempt, { dialect }: PeeringContext): number {
  return attempt.daemon === undefined
    ? attemptDeadline(attempt)
    : (dialect?.attemptDeadline(attempt) ?? Number.POSITIVE_INFINITY);
}

function want(scene: Scene): void {
  const { draft, input } = scene;
  const there = draft.sessions.find(({ connected }) => connected);
  if (there !== undefined) {
    // From now on it is ours as well: we look for it when it is lost.
    update(scene, { ...there, incoming: false });
    return;
  }
  if (!draft.wanted) draft.askedAtMs = input.nowMs;
  draft.wanted = true;
}

/** Asks any instance of the peer, while a session is wanted or lost and none is in sight. */
function ask(scene: Scene): void {
  const { draft, input } = scene;
  const { nowMs } = input;
  draft.askAgainAtMs = undefined;
  if (!isCalling(draft)) return;
  const lost = draft.sessions.filter(({ connected, incoming }) => !connected && !incoming);
  const others = draft.attempts.filter((attempt) => attempt.daemon === undefined && !isHeld(draft, attempt));
  if (others.some(({ instance }) => instance === undefined)) return;
  const hopes = others.map(({ confirmed, startedAtMs }) =>
    confirmed ? Number.POSITIVE_INFINITY : startedAtMs + timing.askOthersMs,
  );
  const patience = draft.wanted ? [] : lost.map(({ lostAtMs = nowMs }) => lostAtMs + timing.askOthersMs);
  const dueMs = Math.min(Math.max(nowMs, ...hopes, ...patience), draft.askedAtMs + timing.askDespiteMs);
  draft.askAgainAtMs = Math.max(dueMs, draft.askNotBeforeMs);
  if (draft.askAgainAtMs > nowMs) return;
  draft.askedAtMs = nowMs;
  draft.askAgainAtMs = undefined;
  if (makeRoom(scene, () => true)) begin(scene, { instance: undefined, grounds: "call" });
  else draft.askAgainAtMs = nowMs + timing.askDespiteMs;
}

/** Ends what there is only because we call, when we do not call any more. */
function withdraw(scene: Scene): void {
  const { draft } = scene;
  if (draft.wanted) return;
  const own = draft.sessions.filter(({ incoming }) => !incoming);
  const close: Close = own.length > 0 ? otherInstance : { cause: "done", reason: "not wanted any more" };
  const withDaemon = draft.sessions.some(({ daemon }) => daemon);
  const needless = draft.attempts.filter(
    (attempt) =>
      !isHeld(draft, attempt) &&
      !(attempt.daemon !== undefined && withDaemon) &&
      ((attempt.grounds === "call" && !isCalling(draft)) || (attempt.grounds === "called-back" && own.length === 0)),
  );
  for (const { id, instance } of needless) {
    // Of two attempts with one instance, the controlling peer chooses.
    const isTwin = draft.sessions.some((session) => attemptOf(draft, session)?.instance === instance);
    if (!isTwin) endAttempt(scene, id, "closed", close);
  }
}

/** Who waits is in a hurry, and who has just lost a session. */
function setUrgency(scene: Scene): void {
  const { draft, input } = scene;
  const lost = draft.sessions.filter(
    ({ lostAtMs = Number.NEGATIVE_INFINITY }) => input.nowMs < lostAtMs + timing.urgentLossMs,
  );
  const isLooking = draft.wanted || lost.some(({ incoming }) => !incoming);
  for (const { id, grounds, urgent } of draft.attempts) {
    const isUrgent = draft.wanted || (isLooking && grounds === "call") || lost.some(({ attempt }) => attempt === id);
    if (isUrgent !== urgent) run(scene, id, { type: "urgent", urgent: isUrgent });
  }
}

/** What somebody waits for does not expire, unless it may be a recording that will never answer. */
function mayExpire(peering: Peering, attempt: Attempt): boolean {
  if (attempt.instance === undefined || isConnected(attempt) || isHeld(peering, attempt)) return false;
  return !attempt.confirmed || !peering.wanted;
}

function expiryMs({ startedAtMs, heardAtMs, daemon }: Attempt): number {
  // A daemon repeats itself once a minute, and what we have said to it is good until then.
  return daemon === undefined
    ? startedAtMs + timing.incomingMs
    : Math.max(startedAtMs, heardAtMs) + 2 * timing.resendIdleMs;
}
