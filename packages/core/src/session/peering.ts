/**
 * Everything between one of our keys and one of the peer's, as a pure state machine: attempts with its instances, and the
 * sessions that the application has. It decides whose message belongs to which attempt, which attempt becomes a session,
 * and when a session moves to another instance.
 */

import type { Instance } from "../backend/backend.ts";
import {
  type Attempt,
  type AttemptContext,
  type AttemptEffect,
  type AttemptEvent,
  attemptDeadline,
  createAttempt,
  isConnected,
  stepAttempt,
} from "./attempt.ts";
import type { Description } from "./description.ts";
import type { Input } from "./input.ts";
import { timing } from "./timing.ts";

export interface PeeringContext extends AttemptContext {
  /** How long a session that was lost is tried to be had again, in milliseconds: ours, and those that the peer began. */
  readonly reconnectMs: number;
  readonly reconnectIncomingMs: number;
}

export interface Peering {
  readonly attempts: readonly Attempt[];
  readonly sessions: readonly Held[];
  /** The application waits for a session. */
  readonly wanted: boolean;
  /** The number of the next session. */
  readonly nextSession: number;
  /** What the peer may still start: attempts, refilled with time. */
  readonly budget: { readonly tokens: number; readonly atMs: number };
  readonly askAgainAtMs: number | undefined;
  /** A peer that ended an attempt is left alone until then. */
  readonly askNotBeforeMs: number;
}

/** A session that the application has. */
export interface Held {
  readonly number: number;
  /** The attempt that carries it. */
  readonly attempt: string;
  /** The peer began it. */
  readonly incoming: boolean;
  readonly connected: boolean;
  readonly lostAtMs: number | undefined;
  /** When its path was last seen to answer, and not to. */
  readonly aliveAtMs: number;
  readonly deadAtMs: number;
  /** When the answer to a probe has to be there. */
  readonly probeUntilMs: number | undefined;
}

export type PeeringEvent =
  /** The application wants a session, or no longer waits for one. */
  | { readonly type: "want"; readonly wanted: boolean }
  /** A message of the peer's. `accepted`: it may start a session. */
  | {
      readonly type: "message";
      readonly instance: Instance;
      readonly description: Description;
      readonly accepted: "yes" | "no" | "tell";
    }
  | { readonly type: "attempt"; readonly attempt: string; readonly event: AttemptEvent }
  | { readonly type: "probed"; readonly attempt: string; readonly alive: boolean }
  /** The application is done with a session. */
  | { readonly type: "close"; readonly session: number; readonly reason: string }
  | { readonly type: "close-all"; readonly reason: string }
  | { readonly type: "restart"; readonly session: number }
  | { readonly type: "network-changed" }
  | { readonly type: "tick" };

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
  /** An attempt that was no session is over. */
  | { readonly type: "attempt-ended"; readonly attempt: string; readonly cause: EndCause | "expired" }
  /** Ask the path of an attempt for an answer; silence says that it is dead. */
  | { readonly type: "probe"; readonly attempt: string }
  /** Nobody will become a session: the peer declines. */
  | { readonly type: "declined" }
  /** The peer is told that there is no such session. */
  | {
      readonly type: "refuse";
      readonly instance: Instance;
      readonly description: Description;
      readonly reason: string;
    };

/** What goes over the wire with an orderly end. */
const reasons = { otherInstance: "other-instance", declined: "declined", gone: "closed" } as const;

/** Attempts of one key at a time. More of the peer's replace the oldest that it has not confirmed. */
const maxAttempts = 8;
/** What a peer may start at once, and how often after that. */
const budgetBurst = 8;
const budgetPerMs = 1 / 2_000;

export function createPeering({ nowMs }: Pick<Input, "nowMs">): Peering {
  return {
    attempts: [],
    sessions: [],
    wanted: false,
    nextSession: 1,
    budget: { tokens: budgetBurst, atMs: nowMs },
    askAgainAtMs: undefined,
    askNotBeforeMs: nowMs,
  };
}

/** Nothing is going on, and nothing is waited for. */
export function isIdle({ attempts, sessions, wanted }: Peering): boolean {
  return attempts.length === 0 && sessions.length === 0 && !wanted;
}

/** When it wants its next `tick`; `Infinity` for never. */
export function peeringDeadline(peering: Peering, context: PeeringContext): number {
  const { attempts, sessions, askAgainAtMs } = peering;
  const times = [askAgainAtMs ?? Number.POSITIVE_INFINITY];
  for (const attempt of attempts) times.push(attemptDeadline(attempt));
  for (const attempt of attempts) if (mayExpire(peering, attempt)) times.push(attempt.startedAtMs + timing.incomingMs);
  for (const session of sessions) {
    times.push(session.probeUntilMs ?? Number.POSITIVE_INFINITY, giveUpAtMs(session, context));
  }
  return Math.min(...times);
}

type Draft = { -readonly [K in keyof Peering]: Peering[K] };

interface Scene {
  readonly draft: Draft;
  readonly context: PeeringContext;
  readonly input: Input;
  readonly effects: PeeringEffect[];
}

export function stepPeering(
  peering: Peering,
  event: PeeringEvent,
  context: PeeringContext,
  input: Input,
): { readonly peering: Peering; readonly effects: readonly PeeringEffect[] } {
  const scene: Scene = { draft: { ...peering }, context, input, effects: [] };
  take(scene, event);
  settle(scene);
  return { peering: scene.draft, effects: scene.effects };
}

function take(scene: Scene, event: PeeringEvent): void {
  const { draft, input } = scene;
  switch (event.type) {
    case "want":
      draft.wanted = event.wanted;
      for (const { id } of draft.attempts) run(scene, id, { type: "urgent", urgent: event.wanted });
      if (event.wanted) return;
      for (const attempt of draft.attempts)
        if (!attempt.theirs && !isHeld(draft, attempt)) endAttempt(scene, attempt.id, "closed", "not wanted any more");
      return;
    case "message":
      takeMessage(scene, event.instance, event.description, event.accepted);
      return;
    case "attempt":
      run(scene, event.attempt, event.event);
      return;
    case "probed":
      takeProbe(scene, event.attempt, event.alive);
      return;
    case "close": {
      const session = draft.sessions.find(({ number }) => number === event.session);
      if (session !== undefined) end(scene, session, "closed", event.reason, event.reason);
      return;
    }
    case "close-all":
      draft.wanted = false;
      for (const session of draft.sessions) end(scene, session, "closed", event.reason, event.reason);
      for (const { id } of draft.attempts) endAttempt(scene, id, "closed", event.reason);
      return;
    case "restart": {
      const session = draft.sessions.find(({ number }) => number === event.session);
      if (session !== undefined) run(scene, session.attempt, { type: "restart" });
      return;
    }
    case "network-changed":
      for (const { id, connection } of draft.attempts)
        if (connection?.proven === true) run(scene, id, { type: "restart" });
      return;
    case "tick":
      for (const attempt of draft.attempts)
        if (attemptDeadline(attempt) <= input.nowMs) run(scene, attempt.id, { type: "tick" });
      expire(scene);
  }
}

/** Brings sessions in line with what their attempts do now, and starts what is missing. */
function settle(scene: Scene): void {
  const { draft } = scene;
  for (const session of draft.sessions) follow(scene, session);
  for (const { id } of draft.attempts) {
    // What has happened to one may have ended another.
    const attempt = draft.attempts.find((each) => each.id === id);
    if (attempt !== undefined && isConnected(attempt) && !isHeld(draft, attempt)) land(scene, attempt);
  }
  ask(scene);
}

/** A session is lost while its attempt is not connected. */
function follow(scene: Scene, session: Held): void {
  const { draft, effects, input } = scene;
  const attempt = draft.attempts.find(({ id }) => id === session.attempt);
  const connected = attempt !== undefined && isConnected(attempt);
  if (connected === session.connected) return;
  update(draft, { ...session, connected, lostAtMs: connected ? undefined : input.nowMs });
  effects.push({ type: connected ? "recovered" : "lost", session: session.number });
  run(scene, session.attempt, { type: "urgent", urgent: !connected });
}

/** An attempt has connected that no session has: it becomes one, or carries one whose path is dead. */
function land(scene: Scene, attempt: Attempt): void {
  const { draft, effects, input } = scene;
  // Another instance, or the same peer after a restart? Whether the old paths answer tells.
  const paths = draft.sessions.map((session) => ({ session, path: pathOf(draft, session, attempt.startedAtMs) }));
  for (const { session, path } of paths) if (path === "unknown") probe(scene, session);
  if (paths.some(({ path }) => path === "unknown")) return;
  const dead = paths.filter(({ path }) => path === "dead").map(({ session }) => session);
  const sameInstance = dead.find((session) => attemptOf(draft, session)?.instance === attempt.instance);
  const moving = sameInstance ?? dead[0];
  if (moving !== undefined) {
    move(scene, moving, attempt);
    return;
  }
  const session: Held = {
    number: draft.nextSession,
    attempt: attempt.id,
    incoming: !draft.wanted,
    connected: true,
    lostAtMs: undefined,
    aliveAtMs: input.nowMs,
    deadAtMs: Number.NEGATIVE_INFINITY,
    probeUntilMs: undefined,
  };
  draft.nextSession += 1;
  draft.wanted = false;
  draft.sessions = [...draft.sessions, session];
  effects.push({ type: "established", session: session.number, attempt: attempt.id, incoming: session.incoming });
  run(scene, attempt.id, { type: "urgent", urgent: false });
  if (!session.incoming) releaseOthers(scene, attempt);
}

/** Whether the path of a session has answered, or failed to, since a time. */
function pathOf(draft: Draft, session: Held, sinceMs: number): "alive" | "dead" | "unknown" {
  const state = attemptOf(draft, session)?.connection?.state;
  if (state === undefined || state === "failed" || state === "closed" || session.deadAtMs >= sinceMs) return "dead";
  return session.aliveAtMs >= sinceMs ? "alive" : "unknown";
}

function probe({ draft, effects, input }: Scene, session: Held): void {
  if (session.probeUntilMs !== undefined) return;
  update(draft, { ...session, probeUntilMs: input.nowMs + timing.probeMs });
  effects.push({ type: "probe", attempt: session.attempt });
}

function takeProbe(scene: Scene, attempt: string, alive: boolean): void {
  const { draft, input } = scene;
  const session = draft.sessions.find((each) => each.attempt === attempt);
  if (session === undefined) return;
  const times = alive ? { aliveAtMs: input.nowMs } : { deadAtMs: input.nowMs };
  update(draft, { ...session, ...times, probeUntilMs: undefined });
  // The agent has not noticed yet.
  if (!alive && session.connected) run(scene, attempt, { type: "restart" });
}

/** The session goes on with another attempt. */
function move(scene: Scene, session: Held, attempt: Attempt): void {
  const { draft, effects, input } = scene;
  update(draft, {
    ...session,
    attempt: attempt.id,
    connected: true,
    lostAtMs: undefined,
    aliveAtMs: input.nowMs,
    deadAtMs: Number.NEGATIVE_INFINITY,
    probeUntilMs: undefined,
  });
  effects.push({ type: "moved", session: session.number, attempt: attempt.id });
  endAttempt(scene, session.attempt, "lost", undefined);
  run(scene, attempt.id, { type: "urgent", urgent: false });
  releaseOthers(scene, attempt);
}

/** The others that answered our call are not needed. Those that called us are a matter of their own. */
function releaseOthers(scene: Scene, taken: Attempt): void {
  const { draft } = scene;
  for (const other of draft.attempts) {
    if (other.id === taken.id || other.theirs || isHeld(draft, other)) continue;
    const told = other.instance === taken.instance ? undefined : reasons.otherInstance;
    endAttempt(scene, other.id, "other-instance", told);
  }
}

/** Asks any instance of the peer, while a session is wanted and none is in sight. */
function ask(scene: Scene): void {
  const { draft, input } = scene;
  const { nowMs } = input;
  draft.askAgainAtMs = undefined;
  const lost = draft.sessions.filter(({ connected, incoming }) => !connected && !incoming);
  if (!draft.wanted && lost.length === 0) return;
  const others = draft.attempts.filter((attempt) => !isHeld(draft, attempt));
  if (others.some(({ instance }) => instance === undefined)) return;
  const untilMs = [
    ...others.map(({ confirmed, startedAtMs }) => startedAtMs + (confirmed ? timing.askDespiteMs : timing.askOthersMs)),
    ...(draft.wanted ? [] : lost.map(({ lostAtMs = nowMs }) => lostAtMs + timing.askOthersMs)),
  ];
  const dueMs = Math.max(nowMs, draft.askNotBeforeMs, ...untilMs);
  if (dueMs > nowMs) draft.askAgainAtMs = dueMs;
  else begin(scene, { instance: undefined, theirs: false, urgent: true });
}

function takeMessage(
  scene: Scene,
  instance: Instance,
  description: Description,
  accepted: "yes" | "no" | "tell",
): void {
  const { draft, effects } = scene;
  const { sessionId, received, close } = description;
  const echoed = draft.attempts.find(({ id }) => id === received?.sessionId);
  const known = draft.attempts.find((each) => each.instance === instance && each.remoteId === sessionId);
  if (close !== undefined) {
    takeClose(scene, echoed, instance, close);
    return;
  }
  if (known !== undefined) {
    run(scene, known.id, { type: "received", description });
    return;
  }
  // What names a session of ours that nobody has confirmed answers it; what comes while we ask anybody may do so.
  const open = draft.attempts.find((each) => each.instance === undefined);
  const answered = echoed?.confirmed === false ? echoed : open;
  if (answered !== undefined) {
    run(scene, answered.id, { type: "bind", instance, remoteId: sessionId });
    run(scene, answered.id, { type: "received", description });
    doubt(scene);
    return;
  }
  if (received !== undefined && echoed === undefined) {
    // It names a session of ours that is over: our word of that was lost, or is under way.
    if (spend(scene)) effects.push({ type: "refuse", instance, description, reason: reasons.gone });
    return;
  }
  const welcome = accepted === "yes" || draft.wanted || draft.sessions.some(({ incoming }) => !incoming);
  if ((!welcome && accepted === "no") || !spend(scene)) return;
  if (!welcome) {
    effects.push({ type: "refuse", instance, description, reason: reasons.declined });
    return;
  }
  if (!makeRoom(scene)) return;
  const id = begin(scene, { instance, theirs: echoed === undefined, urgent: draft.wanted });
  run(scene, id, { type: "bind", instance, remoteId: sessionId });
  run(scene, id, { type: "received", description });
  doubt(scene);
}

/** A new attempt may mean that the peer has restarted: are the paths that we have still good? */
function doubt(scene: Scene): void {
  for (const session of scene.draft.sessions) if (session.connected) probe(scene, session);
}

/** An orderly end names our session id, which no recording from before can. */
function takeClose(scene: Scene, attempt: Attempt | undefined, instance: Instance, reason: string): void {
  if (attempt === undefined || (attempt.instance !== undefined && attempt.instance !== instance)) return;
  const cause: EndCause =
    reason === reasons.otherInstance ? "other-instance" : reason === reasons.declined ? "declined" : "closed-by-peer";
  const { draft, input } = scene;
  const session = draft.sessions.find((each) => each.attempt === attempt.id);
  if (session !== undefined) {
    end(scene, session, cause, reason, undefined);
    return;
  }
  draft.askNotBeforeMs = input.nowMs + timing.askAfterEndMs;
  endAttempt(scene, attempt.id, cause, undefined);
  if (cause !== "declined" || !draft.wanted || draft.attempts.some((each) => !isHeld(draft, each))) return;
  draft.wanted = false;
  scene.effects.push({ type: "declined" });
}

/** Takes from what the peer may start. */
function spend({ draft, input }: Scene): boolean {
  const { tokens, atMs } = draft.budget;
  const now = Math.min(budgetBurst, tokens + (input.nowMs - atMs) * budgetPerMs);
  const enough = now >= 1;
  draft.budget = { tokens: enough ? now - 1 : now, atMs: input.nowMs };
  return enough;
}

function makeRoom(scene: Scene): boolean {
  const { draft } = scene;
  if (draft.attempts.length < maxAttempts) return true;
  const oldest = draft.attempts.find((each) => !isHeld(draft, each) && each.instance !== undefined && !each.confirmed);
  if (oldest === undefined) return false;
  endAttempt(scene, oldest.id, "expired", undefined);
  return true;
}

function begin(scene: Scene, given: Pick<Attempt, "instance" | "theirs" | "urgent">): string {
  const { draft, input } = scene;
  // One event starts one attempt at most, but for an answer to it, which a second name keeps apart.
  const taken = draft.attempts.some(({ id }) => id === input.freshId);
  const attempt = createAttempt(taken ? { ...input, freshId: input.secondId } : input, given);
  draft.attempts = [...draft.attempts, attempt];
  // What answers somebody begins with what that somebody has said.
  if (given.instance === undefined) run(scene, attempt.id, { type: "begin" });
  return attempt.id;
}

/** Runs an event through an attempt. */
function run({ draft, context, input, effects }: Scene, id: string, event: AttemptEvent): void {
  const before = draft.attempts.find((each) => each.id === id);
  if (before === undefined) return;
  const { attempt, effects: made } = stepAttempt(before, event, context, input);
  draft.attempts = attempt.ended
    ? draft.attempts.filter((each) => each.id !== id)
    : draft.attempts.map((each) => (each.id === id ? attempt : each));
  for (const effect of made) effects.push({ type: "attempt", attempt, effect });
}

function endAttempt(scene: Scene, id: string, cause: EndCause | "expired", told: string | undefined): void {
  if (!scene.draft.attempts.some((each) => each.id === id)) return;
  run(scene, id, { type: "end", reason: told });
  scene.effects.push({ type: "attempt-ended", attempt: id, cause });
}

/** Ends a session; `told` is what the peer is told, if anything. */
function end(scene: Scene, session: Held, cause: EndCause, reason: string, told: string | undefined): void {
  const { draft, effects } = scene;
  draft.sessions = draft.sessions.filter(({ number }) => number !== session.number);
  // The peer is told while there is a connection to tell it over.
  run(scene, session.attempt, { type: "end", reason: told });
  effects.push({ type: "ended", session: session.number, cause, reason });
}

function expire(scene: Scene): void {
  const { draft, context, input } = scene;
  for (const attempt of draft.attempts)
    if (mayExpire(draft, attempt) && attempt.startedAtMs + timing.incomingMs <= input.nowMs)
      endAttempt(scene, attempt.id, "expired", undefined);
  for (const session of draft.sessions) {
    if (session.probeUntilMs !== undefined && session.probeUntilMs <= input.nowMs)
      takeProbe(scene, session.attempt, false);
    if (giveUpAtMs(session, context) <= input.nowMs) end(scene, session, "lost", "no path for too long", "lost");
  }
}

/** What somebody waits for does not expire, unless it may be a recording that will never answer. */
function mayExpire(peering: Peering | Draft, attempt: Attempt): boolean {
  if (attempt.instance === undefined || isConnected(attempt) || isHeld(peering, attempt)) return false;
  return !attempt.confirmed || !peering.wanted;
}

function giveUpAtMs({ lostAtMs, incoming }: Held, { reconnectMs, reconnectIncomingMs }: PeeringContext): number {
  return lostAtMs === undefined ? Number.POSITIVE_INFINITY : lostAtMs + (incoming ? reconnectIncomingMs : reconnectMs);
}

function isHeld({ sessions }: Peering | Draft, { id }: Attempt): boolean {
  return sessions.some(({ attempt }) => attempt === id);
}

function attemptOf({ attempts }: Draft, { attempt }: Held): Attempt | undefined {
  return attempts.find(({ id }) => id === attempt);
}

function update(draft: Draft, session: Held): void {
  draft.sessions = draft.sessions.map((each) => (each.number === session.number ? session : each));
}
