/**
 * One attempt at a session with one instance of the peer, as a pure state machine: what we have told it, what it has
 * told us, and what is due next. Signaling is state synchronisation: every message is the whole description, so that
 * loss, duplication and reordering need no case of their own.
 */

import type { AgentDescription, ConnectionState } from "../agent/agent.ts";
import type { Candidate } from "../agent/candidate.ts";
import type { Instance } from "../backend/backend.ts";
import type { WiceErrorCode } from "../errors.ts";
import {
  type Attempt,
  type AttemptContext,
  type AttemptDraft,
  type AttemptEffect,
  type AttemptEvent,
  isConnected,
  nothingYet,
} from "./attempt-state.ts";
import { type Description, isNewer, maxCandidates, progressOf } from "./description.ts";
import type { Input } from "./input.ts";
import { beginsWithOffer, disconnect, negotiate } from "./negotiation.ts";
import { describe, isDescribing, lags, synchronise } from "./synchronisation.ts";
import { timing } from "./timing.ts";

/** When the attempt wants its next `tick`; `Infinity` for never. */
export function attemptDeadline(attempt: Attempt): number {
  const { sync, restartAtMs, refused, connection, operation, ended } = attempt;
  if (ended) return Number.POSITIVE_INFINITY;
  const waiting = connection?.waitingSinceMs;
  const times = [restartAtMs, refused?.untilMs];
  if (operation !== undefined) times.push(operation.sinceMs + timing.operationMs);
  if (!isDescribing(attempt)) times.push(sync.sendAtMs, sync.ackAtMs, sync.resendAtMs);
  if (waiting !== undefined) times.push(waiting + timing.connectMs);
  return Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY));
}

export interface AttemptStep {
  readonly attempt: Attempt;
  readonly effects: readonly AttemptEffect[];
}

export function stepAttempt(attempt: Attempt, event: AttemptEvent, context: AttemptContext, input: Input): AttemptStep {
  const isOver = attempt.ended;
  // What a connection says that was replaced is of no interest.
  const isStale = "connection" in event && event.connection !== attempt.connection?.number;
  if (isOver || isStale) return { attempt, effects: [] };
  const draft: AttemptDraft = { ...attempt };
  const effects: AttemptEffect[] = [];
  take(draft, event, context, input, effects);
  if (!draft.ended) {
    negotiate(draft, context, input, effects);
    judge(draft, attempt, input);
    synchronise(draft, context, input, effects);
  }
  return { attempt: draft, effects };
}

function take(
  draft: AttemptDraft,
  event: AttemptEvent,
  context: AttemptContext,
  input: Input,
  effects: AttemptEffect[],
): void {
  switch (event.type) {
    case "begin":
      if (!beginsWithOffer(draft, context)) draft.sync = { ...draft.sync, sendAtMs: input.nowMs };
      return;
    case "bind":
      bind(draft, event.instance, event.description.sessionId, input, effects);
      takeDescription(draft, event.description, input);
      return;
    case "received":
      takeDescription(draft, event.description, input);
      return;
    case "ask":
      // Who has never said anything is not missed.
      if (draft.remote !== undefined) draft.sync = { ...draft.sync, ackAtMs: input.nowMs, doubted: true, asking: true };
      return;
    case "remind":
      remind(draft, input);
      return;
    case "described":
      takeLocal(draft, event.description, input);
      return;
    case "accepted":
      if (draft.operation?.type !== "accept") return;
      draft.local = { ...draft.local, settled: true };
      markTaken(draft, input);
      return;
    case "refused":
      takeRefusal(draft, event.code, input, effects);
      return;
    case "made":
      if (draft.connection !== undefined) draft.connection = { ...draft.connection, canRestart: event.canRestart };
      return;
    case "candidate":
      takeCandidate(draft, event.candidate, event.ufrag, input);
      return;
    case "candidates-complete":
      if (event.ufrag === draft.local.ufrag) draft.local = { ...draft.local, candidatesComplete: true };
      return;
    case "state":
      takeState(draft, event.state, event.forged, context, input);
      return;
    case "negotiation-needed":
      if (draft.wants === "nothing") draft.wants = "offer";
      return;
    case "restart":
      draft.wants = "restart";
      draft.restartAtMs = undefined;
      return;
    case "urgent":
      draft.urgent = event.urgent;
      if (event.urgent) hurry(draft, input);
      return;
    case "tick":
      takeTick(draft, input, effects);
      return;
    case "end":
      if (event.close !== undefined && draft.remoteId !== undefined)
        effects.push({ type: "send", description: describe(draft, context, event.close), again: false });
      disconnect(draft, effects);
      draft.ended = true;
      return;
    case "daemon":
    // Attempts with daemons take steps of their own.
  }
}

function bind(
  draft: AttemptDraft,
  instance: Instance,
  remoteId: string,
  { nowMs }: Input,
  effects: AttemptEffect[],
): void {
  const { connection, operation, remote, sync } = draft;
  draft.instance = instance;
  draft.remoteId = remoteId;
  draft.confirmed = false;
  draft.metAtMs = nowMs;
  draft.heardAtMs = Number.NEGATIVE_INFINITY;
  draft.refused = undefined;
  draft.trouble = undefined;
  draft.remote = undefined;
  if (remote !== undefined) draft.sync = { ...sync, sentReceived: undefined, resendDelayMs: timing.resendFirstMs };
  const isTaken = (connection?.remoteEpoch ?? 0) > 0 || operation?.type === "answer" || operation?.type === "accept";
  if (!isTaken) return;
  disconnect(draft, effects);
  // What we have said may be known to the new one, to which an answer to another means nothing: what is later, it takes.
  if (draft.local.kind === "answer") draft.local = { ...nothingYet, epoch: draft.local.epoch + 1 };
}

function takeDescription(draft: AttemptDraft, description: Description, { nowMs }: Input): void {
  const { received } = description;
  const echoes = received?.sessionId === draft.id;
  if (echoes) {
    draft.confirmed = true;
    draft.heardAtMs = nowMs;
  }
  const known = draft.remote;
  if (known === undefined || isNewer(progressOf(description), progressOf(known))) {
    // What it has of ours is taken separately: the newer description may be the older account.
    draft.remote = { ...description, received: echoes ? received : known?.received };
    const ackAtMs = Math.min(draft.sync.ackAtMs ?? Number.POSITIVE_INFINITY, nowMs + timing.ackMs);
    draft.sync = { ...draft.sync, ackAtMs };
    // It has answered another session before: it is made a later offer.
    if (description.kind === "hello" && description.epoch > 0 && draft.local.kind !== "hello") {
      draft.local = { ...draft.local, settled: true };
      draft.wants = "restart";
    }
  } else {
    const isSame = !isNewer(progressOf(known), progressOf(description));
    if (isSame && description.candidatesComplete) draft.remote = { ...known, candidatesComplete: true };
    // It repeats what we have: it has not heard so, or lacks our last.
    if (description.answerWanted || lags(received, draft)) remind(draft, { nowMs });
  }
  if (!echoes || draft.remote === undefined) return;
  const before = draft.remote.received;
  if (before?.sessionId !== draft.id || isNewer(received, before)) draft.remote = { ...draft.remote, received };
}

/** Says everything once more, unless that was done a moment ago. */
function remind(draft: AttemptDraft, { nowMs }: Pick<Input, "nowMs">): void {
  const { sync } = draft;
  if (nowMs - sync.sentAtMs >= timing.answerAgainMs) draft.sync = { ...sync, ackAtMs: nowMs, doubted: true };
}

function takeLocal(draft: AttemptDraft, description: AgentDescription, input: Input): void {
  const { operation } = draft;
  if (operation?.type !== "offer" && operation?.type !== "answer") return;
  const answers = operation.type === "answer";
  draft.local = {
    ...nothingYet,
    ...description,
    kind: answers ? "answer" : "offer",
    epoch: operation.epoch,
  };
  draft.wants = "nothing";
  draft.restartAtMs = undefined;
  if (draft.connection !== undefined) draft.connection = { ...draft.connection, used: true };
  // The first host candidates are worth a moment: without them the peer can only wait for the next message.
  draft.sync = {
    ...draft.sync,
    sendAtMs: input.nowMs + timing.firstCandidateMs,
    resendDelayMs: timing.resendFirstMs,
    resendAtMs: undefined,
  };
  if (answers) markTaken(draft, input);
  else draft.operation = undefined;
}

/** The peer's description of the operation's epoch is in force at the connection. */
function markTaken(draft: AttemptDraft, { nowMs }: Input): void {
  const { connection, operation } = draft;
  draft.operation = undefined;
  if (connection === undefined || operation === undefined) return;
  draft.restartAtMs = undefined;
  draft.connection = {
    ...connection,
    used: true,
    remoteOrigin: operation.origin,
    remoteEpoch: operation.epoch,
    fed: 0,
    fedComplete: false,
    waitingSinceMs: connection.state === "connected" ? undefined : nowMs,
  };
}

function takeRefusal(draft: AttemptDraft, code: WiceErrorCode, { nowMs }: Input, effects: AttemptEffect[]): void {
  const { operation, connection } = draft;
  draft.operation = undefined;
  if (operation === undefined || connection === undefined) return;
  if (operation.type === "answer" && code === "invalid-message") {
    // It will not be better the next time; what the connection has is still good.
    draft.refused = { epoch: operation.epoch, untilMs: Number.POSITIVE_INFINITY };
    return;
  }
  // A used connection may refuse what a new one can do.
  const retriesAtOnce = operation.type === "answer" && connection.used;
  disconnect(draft, effects);
  if (retriesAtOnce) return;
  draft.failures += 1;
  const untilMs = nowMs + restartDelayMs(draft);
  if (operation.type === "answer") {
    draft.refused = { epoch: operation.epoch, untilMs };
  } else {
    draft.wants = "nothing";
    draft.restartAtMs = untilMs;
  }
}

function takeCandidate(draft: AttemptDraft, candidate: Candidate, ufrag: string, { nowMs }: Input): void {
  const { local, sync } = draft;
  if (ufrag !== local.ufrag || local.candidates.length >= maxCandidates) return;
  draft.local = { ...local, candidates: [...local.candidates, candidate] };
  draft.sync = { ...sync, sendAtMs: Math.min(sync.sendAtMs ?? Number.POSITIVE_INFINITY, nowMs + timing.coalesceMs) };
}

function takeState(
  draft: AttemptDraft,
  state: ConnectionState,
  forged: boolean,
  { role }: AttemptContext,
  { nowMs }: Input,
): void {
  const { connection } = draft;
  if (connection === undefined) return;
  draft.connection = { ...connection, state };
  switch (state) {
    case "connected":
      draft.connection = { ...draft.connection, proven: true, waitingSinceMs: undefined };
      draft.restartAtMs = undefined;
      draft.failures = 0;
      draft.forgeries = 0;
      draft.trouble = undefined;
      if (draft.wants === "restart") draft.wants = "nothing";
      return;
    case "disconnected":
      // It may come back by itself; and both sides see it, of which one is enough.
      draft.restartAtMs = nowMs + timing.disconnectedMs + (role === "controlling" ? 0 : timing.secondSideMs);
      return;
    case "failed":
    case "closed":
      draft.connection = { ...draft.connection, waitingSinceMs: undefined };
      draft.failures += 1;
      draft.forgeries = forged ? draft.forgeries + 1 : 0;
      if (draft.forgeries >= forgedTimes) draft.trouble = "forged";
      else if (state === "failed" && !forged) draft.trouble = "no-path";
      draft.restartAtMs = nowMs + (draft.forgeries >= forgedTimes ? timing.forgedMs : restartDelayMs(draft));
      // A peer that closes says so in a message as well, which may be on its way.
      if (state === "closed") draft.restartAtMs += timing.closedMs;
      if (role === "controlled") draft.restartAtMs += timing.secondSideMs;
      return;
    case "new":
  }
}

/** So often in a row somebody else's certificate was met, and it is no accident any more. */
const forgedTimes = 3;

/** Little for the first time, then longer and longer. */
function restartDelayMs({ failures }: AttemptDraft): number {
  return Math.min(timing.restartMostMs, timing.restartFirstMs * 2 ** Math.max(0, failures - 1));
}

/** A look for a path that took long, and is over or has made room for another one, has found none. */
function judge(draft: AttemptDraft, { connection }: Attempt, { nowMs }: Input): void {
  const since = connection?.waitingSinceMs;
  if (since === undefined || since === draft.connection?.waitingSinceMs || isConnected(draft)) return;
  if (nowMs - since >= timing.connectMs / 2) draft.trouble ??= "no-path";
}

function takeTick(draft: AttemptDraft, input: Input, effects: AttemptEffect[]): void {
  const { nowMs } = input;
  if (draft.operation !== undefined && nowMs >= draft.operation.sinceMs + timing.operationMs)
    takeRefusal(draft, "closed", input, effects);
  if (draft.refused !== undefined && nowMs >= draft.refused.untilMs) draft.refused = undefined;
  const { connection, restartAtMs } = draft;
  const waiting = connection?.waitingSinceMs;
  if (connection !== undefined && waiting !== undefined && nowMs >= waiting + timing.connectMs) {
    draft.connection = { ...connection, waitingSinceMs: undefined };
    draft.failures += 1;
    draft.wants = "restart";
  }
  if (restartAtMs !== undefined && nowMs >= restartAtMs) {
    draft.restartAtMs = undefined;
    draft.wants = "restart";
  }
}

function hurry(draft: AttemptDraft, { nowMs }: Input): void {
  const { sync } = draft;
  const { resendAtMs } = sync;
  const soon = nowMs + timing.resendFirstMs;
  draft.sync = {
    ...sync,
    resendDelayMs: Math.min(sync.resendDelayMs, timing.resendFirstMs),
    resendAtMs: resendAtMs === undefined ? undefined : Math.min(resendAtMs, soon),
  };
}
