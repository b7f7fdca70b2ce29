/**
 * To which attempt a message of the peer's belongs. A message names the sender's session, and ours where the sender knows
 * it: only what names ours proves that it is no recording, so nothing else ends, moves or displaces anything.
 */

import type { Instance } from "../backend/backend.ts";
import { type Attempt, isConnected, localProgress } from "./attempt-state.ts";
import { type Close, type CloseCause, type Description, isNewer } from "./description.ts";
import { doubt, endHeld, isHeldBy, loseTo } from "./holding.ts";
import { originOf } from "./origin.ts";
import {
  begin,
  type EndCause,
  endAttempt,
  gone,
  isCalling,
  isHeld,
  maxAttempts,
  otherInstance,
  type Peering,
  run,
  type Scene,
  spend,
  type Welcome,
} from "./peering-state.ts";
import { timing } from "./timing.ts";

export function takeMessage(scene: Scene, instance: Instance, description: Description, welcome: Welcome): void {
  const { draft } = scene;
  const { sessionId, received, close } = description;
  const named = draft.attempts.find(({ id }) => id === received?.sessionId);
  if (close !== undefined) {
    if (named !== undefined) takeClose(scene, named, instance, description, close);
    return;
  }

  const known = draft.attempts.find((each) => each.instance === instance && each.remoteId === sessionId);
  const mayBind = named !== undefined && named !== known && isFree(draft, named, instance);
  if (known !== undefined && (known.confirmed || !mayBind)) {
    // It is said again until it is taken, so that what costs a connection may wait.
    if (!isAnew(known, description) || spend(scene, "replacements"))
      run(scene, known.id, { type: "received", description });
    // We are with the session that it is from, and it is not with ours.
    if (named === undefined) tellOver(scene, instance, description);
    return;
  }
  if (mayBind) {
    if (named.confirmed && !spend(scene, "replacements")) return;
    // What we took its session for was a guess, and this is the peer's word.
    if (known !== undefined) endAttempt(scene, known.id, "expired");
    bind(scene, named.id, instance, description);
    return;
  }

  if (received !== undefined && named === undefined) {
    tellOver(scene, instance, description);
    return;
  }
  const live = draft.attempts.find((each) => each.instance === instance && each.confirmed);
  if (live !== undefined) {
    // One attempt with an instance is enough. If it is over at the other side, that will say so.
    if (spend(scene)) run(scene, live.id, { type: "remind" });
    return;
  }
  const open = named === undefined ? draft.attempts.find((each) => each.instance === undefined) : undefined;
  if (open !== undefined) bind(scene, open.id, instance, description);
  else meet(scene, instance, description, welcome, named !== undefined);
}

/** The peer names a session of ours that is over: our word of that was lost, or is under way. */
function tellOver(scene: Scene, instance: Instance, description: Description): void {
  const { draft, effects } = scene;
  const { received } = description;
  if (received === undefined || !spend(scene)) return;
  const close = draft.lastWords.find(({ id }) => id === received.sessionId)?.close ?? gone;
  effects.push({ type: "refuse", instance, description, close });
}

/** Whether an attempt may be with this instance and another session of it than it was until now. */
function isFree(peering: Pick<Peering, "sessions">, attempt: Attempt, instance: Instance): boolean {
  if (isHeld(peering, attempt) || isConnected(attempt)) return false;
  return !attempt.confirmed || attempt.instance === instance;
}

/** The description is of another connection of the peer's, so that ours has to be replaced. */
function isAnew({ remote }: Attempt, { kind, sdp }: Description): boolean {
  if (remote === undefined || remote.kind === "hello" || kind === "hello") return false;
  return originOf(remote.sdp) !== originOf(sdp);
}

function bind(scene: Scene, id: string, instance: Instance, description: Description): void {
  run(scene, id, { type: "bind", instance, description });
  doubt(scene, id);
}

/** Somebody new: it calls, or is a further instance that answers us. */
function meet(scene: Scene, instance: Instance, description: Description, welcome: Welcome, answersUs: boolean): void {
  const { draft, effects } = scene;
  if (answersUs && !isCalling(draft)) {
    // It has answered too late.
    if (spend(scene)) effects.push({ type: "refuse", instance, description, close: otherInstance });
    return;
  }
  const isCalled = draft.wanted || draft.sessions.some(({ incoming }) => !incoming);
  const isWelcome = welcome === "yes" || isCalled;
  if ((!isWelcome && welcome === "no") || !spend(scene)) return;
  if (!isWelcome) {
    effects.push({ type: "refuse", instance, description, close: { cause: "declined", reason: "" } });
    return;
  }
  if (!makeRoom(scene, ({ confirmed }) => !confirmed)) return;
  const grounds = answersUs ? "call" : welcome === "yes" ? "accepted" : "called-back";
  bind(scene, begin(scene, { instance, grounds }), instance, description);
}

/** Makes room for one more attempt by ending the oldest that may go. False when there is none. */
export function makeRoom(scene: Scene, mayGo: (attempt: Attempt) => boolean): boolean {
  const { draft } = scene;
  if (draft.attempts.length < maxAttempts) return true;
  const oldest = draft.attempts.find(
    (each) => each.instance !== undefined && !isHeld(draft, each) && !isConnected(each) && mayGo(each),
  );
  if (oldest === undefined) return false;
  endAttempt(scene, oldest.id, "expired");
  return true;
}

/** An orderly end names our session id, which no recording from before can. */
function takeClose(
  scene: Scene,
  attempt: Attempt,
  instance: Instance,
  { sessionId, received }: Description,
  close: Close,
): void {
  if (attempt.instance !== undefined && attempt.instance !== instance) return;
  // What the peer refused before it had a session with us may come late: what we have said since, it had not heard.
  const isLate = received !== undefined && isNewer(localProgress(attempt), received);
  // And one of the peer's that is over says nothing of the one that we are with now.
  const isPast = isConnected(attempt) || isLate || close.cause === "gone";
  if (attempt.remoteId !== undefined && attempt.remoteId !== sessionId && isPast) return;
  const { draft, input } = scene;
  const cause = endCauses[close.cause];
  if (attempt.instance === undefined) {
    // Another instance may still come, so that one that does not says nothing of it; a call waits a moment for that.
    if (close.cause === "declined" && draft.wanted) draft.declinedAtMs ??= input.nowMs;
    return;
  }
  draft.askNotBeforeMs = input.nowMs + timing.askAfterEndMs;
  const session = draft.sessions.find(isHeldBy(attempt));
  if (session !== undefined) {
    if (close.cause !== "gone" || !loseTo(scene, session, attempt)) endHeld(scene, session, cause, close.reason);
    return;
  }
  endAttempt(scene, attempt.id, cause);
  if (close.cause === "declined" && draft.wanted) draft.declinedAtMs ??= input.nowMs;
}

/** A call is over when somebody has declined, and nobody else has come for a moment. */
export function settleDecline(scene: Scene): void {
  const { draft, input } = scene;
  if (!draft.wanted) draft.declinedAtMs = undefined;
  if (declineDeadline(draft) > input.nowMs) return;
  draft.declinedAtMs = undefined;
  if (draft.sessions.length > 0 || draft.attempts.some(({ confirmed }) => confirmed)) return;
  draft.wanted = false;
  scene.effects.push({ type: "declined" });
}

export function declineDeadline({ declinedAtMs }: Pick<Peering, "declinedAtMs">): number {
  return declinedAtMs === undefined ? Number.POSITIVE_INFINITY : declinedAtMs + timing.otherComesMs;
}

const endCauses: Readonly<Record<CloseCause, EndCause>> = {
  done: "closed-by-peer",
  gone: "closed-by-peer",
  declined: "declined",
  "other-instance": "other-instance",
};
