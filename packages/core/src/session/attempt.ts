/**
 * One attempt at a session with one instance of the peer, as a pure state machine: what we have told it, what it has
 * told us, and what is due next. Signaling is state synchronisation: every message is the whole description, so that
 * loss, duplication and reordering need no case of their own.
 */

import type { AgentDescription, AgentName, ConnectionState } from "../agent/agent.ts";
import type { Candidate } from "../agent/candidate.ts";
import type { Instance } from "../backend/backend.ts";
import type { WiceErrorCode } from "../errors.ts";
import type { Role } from "../role.ts";
import { type Description, isNewer, type Kind, maxCandidates, progressOf, type Received } from "./description.ts";
import type { Input } from "./input.ts";
import { originOf } from "./origin.ts";
import { timing } from "./timing.ts";

/** What never changes about an attempt. */
export interface AttemptContext {
  readonly role: Role;
  /** Ours, by preference. */
  readonly agents: readonly AgentName[];
}

export interface Attempt {
  /** Our session id. */
  readonly id: string;
  /** The peer's instance; undefined while we ask any of its key. */
  readonly instance: Instance | undefined;
  /** The peer's session id. */
  readonly remoteId: string | undefined;
  /** The peer has named our session id: it is there, and no recording. */
  readonly confirmed: boolean;
  /** The peer began it. */
  readonly theirs: boolean;
  readonly startedAtMs: number;
  /** Somebody waits for it: messages are repeated more often. */
  readonly urgent: boolean;

  readonly local: Local;
  readonly remote: Description | undefined;
  readonly connection: Connection | undefined;
  /** How many connections there were. */
  readonly connections: number;
  /** What the connection is doing; one thing at a time. */
  readonly operation: Operation | undefined;
  /** The epoch of an offer of the peer's that could not be taken. */
  readonly refusedEpoch: number;
  /** An offer is due as soon as one may be made: the application's, or to restart ICE. */
  readonly wants: "nothing" | "offer" | "restart";
  /** When to restart a connection that does not answer. */
  readonly restartAtMs: number | undefined;
  readonly restarts: number;
  readonly noCommonAgent: boolean;

  readonly sync: Sync;
  readonly ended: boolean;
}

/** What we say of ourselves. */
interface Local extends AgentDescription {
  readonly kind: Kind;
  readonly epoch: number;
  readonly candidates: readonly Candidate[];
  readonly candidatesComplete: boolean;
  /** Of an offer: the answer to it has been taken. */
  readonly accepted: boolean;
}

interface Connection {
  readonly number: number;
  readonly agent: AgentName;
  readonly state: ConnectionState;
  /** Whether it was ever connected. */
  readonly proven: boolean;
  /** What the peer's description was made by, once one was taken: another one needs a new connection. */
  readonly remoteOrigin: string | undefined;
  /** The epoch whose description of the peer was taken last, and how many candidates of it. */
  readonly remoteEpoch: number;
  readonly fed: number;
  readonly fedComplete: boolean;
  readonly canRestart: boolean;
  /** It has made or taken a description: what it refuses now, a new one may do. */
  readonly used: boolean;
  /** Since when it should be connected, and is not. */
  readonly waitingSinceMs: number | undefined;
}

interface Operation {
  readonly type: "offer" | "answer" | "accept";
  readonly epoch: number;
  readonly origin: string | undefined;
  readonly sinceMs: number;
}

/** How far the two sides know of each other, and when to say more. */
interface Sync {
  /** What was sent last, of ours and of what we have of theirs. */
  readonly sent: { readonly kind: Kind; readonly epoch: number; readonly candidates: number } | undefined;
  readonly sentReceived: Received | undefined;
  readonly sentAtMs: number;
  /** Our description changed: when it leaves. */
  readonly sendAtMs: number | undefined;
  /** The peer should be told what we have of it: when that leaves at the latest. */
  readonly ackAtMs: number | undefined;
  /** The peer lags: when to repeat, and how long to wait after that. */
  readonly resendAtMs: number | undefined;
  readonly resendDelayMs: number;
}

export type AttemptEvent =
  | { readonly type: "begin" }
  /** An instance and a session of the peer's that it did not have before. What was taken of another is void. */
  | { readonly type: "bind"; readonly instance: Instance; readonly remoteId: string }
  | { readonly type: "received"; readonly description: Description }
  | { readonly type: "described"; readonly connection: number; readonly description: AgentDescription }
  | { readonly type: "accepted"; readonly connection: number }
  | { readonly type: "refused"; readonly connection: number; readonly code: WiceErrorCode }
  | { readonly type: "made"; readonly connection: number; readonly canRestart: boolean }
  | { readonly type: "candidate"; readonly connection: number; readonly ufrag: string; readonly candidate: Candidate }
  | { readonly type: "candidates-complete"; readonly connection: number; readonly ufrag: string }
  | { readonly type: "state"; readonly connection: number; readonly state: ConnectionState; readonly forged: boolean }
  | { readonly type: "negotiation-needed"; readonly connection: number }
  /** The network has changed, or the path does not answer: try another. */
  | { readonly type: "restart" }
  | { readonly type: "urgent"; readonly urgent: boolean }
  | { readonly type: "tick" }
  | { readonly type: "end"; readonly reason: string | undefined };

export type AttemptEffect =
  | { readonly type: "send"; readonly description: Description }
  | { readonly type: "connect"; readonly connection: number; readonly agent: AgentName }
  | { readonly type: "offer"; readonly connection: number; readonly restart: boolean }
  | { readonly type: "answer"; readonly connection: number; readonly offer: AgentDescription }
  | { readonly type: "accept"; readonly connection: number; readonly answer: AgentDescription }
  | { readonly type: "candidates"; readonly connection: number; readonly candidates: readonly Candidate[] }
  | { readonly type: "candidates-complete"; readonly connection: number }
  | { readonly type: "disconnect"; readonly connection: number };

type Draft = { -readonly [K in keyof Attempt]: Attempt[K] };

/** A new attempt, which has to `begin`. */
export function createAttempt(
  { nowMs, freshId }: Input,
  given: Pick<Attempt, "instance" | "theirs" | "urgent">,
): Attempt {
  return {
    ...given,
    id: freshId,
    remoteId: undefined,
    confirmed: false,
    startedAtMs: nowMs,
    local: nothing,
    remote: undefined,
    connection: undefined,
    connections: 0,
    operation: undefined,
    refusedEpoch: 0,
    wants: "nothing",
    restartAtMs: undefined,
    restarts: 0,
    noCommonAgent: false,
    sync: {
      sent: undefined,
      sentReceived: undefined,
      sentAtMs: Number.NEGATIVE_INFINITY,
      sendAtMs: undefined,
      ackAtMs: undefined,
      resendAtMs: undefined,
      resendDelayMs: timing.resendFirstMs,
    },
    ended: false,
  };
}

const nothing: Local = {
  kind: "hello",
  epoch: 0,
  sdp: "",
  ufrag: "",
  pwd: "",
  candidates: [],
  candidatesComplete: false,
  accepted: false,
};

export function isConnected({ connection, ended }: Attempt): boolean {
  return connection?.state === "connected" && !ended;
}

/** When the attempt wants its next `tick`; `Infinity` for never. */
export function attemptDeadline(attempt: Attempt): number {
  const { sync, restartAtMs, connection, operation, ended } = attempt;
  if (ended) return Number.POSITIVE_INFINITY;
  const waiting = connection?.waitingSinceMs;
  const times = [restartAtMs];
  if (operation !== undefined) times.push(operation.sinceMs + timing.operationMs);
  if (!isDescribing(attempt)) times.push(sync.sendAtMs, sync.ackAtMs, sync.resendAtMs);
  if (waiting !== undefined) times.push(waiting + timing.connectMs);
  return Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY));
}

/** What we say of ourselves is being made: until then there is nothing to say. */
function isDescribing({ operation }: Attempt | Draft): boolean {
  return operation?.type === "offer" || operation?.type === "answer";
}

export interface AttemptStep {
  readonly attempt: Attempt;
  readonly effects: readonly AttemptEffect[];
}

export function stepAttempt(attempt: Attempt, event: AttemptEvent, context: AttemptContext, input: Input): AttemptStep {
  if (attempt.ended) return { attempt, effects: [] };
  const draft: Draft = { ...attempt };
  const effects: AttemptEffect[] = [];
  // What a connection says that was replaced is of no interest.
  if ("connection" in event && event.connection !== draft.connection?.number) return { attempt, effects };
  take(draft, event, context, input, effects);
  if (!draft.ended) {
    negotiate(draft, context, input, effects);
    feed(draft, effects);
    synchronise(draft, context, input, effects);
  }
  return { attempt: draft, effects };
}

function take(
  draft: Draft,
  event: AttemptEvent,
  context: AttemptContext,
  input: Input,
  effects: AttemptEffect[],
): void {
  switch (event.type) {
    case "begin":
      if (context.role === "controlled") draft.sync = { ...draft.sync, sendAtMs: input.nowMs };
      return;
    case "bind":
      bind(draft, event.instance, event.remoteId, context, effects);
      return;
    case "received":
      takeDescription(draft, event.description, input);
      return;
    case "described":
      takeLocal(draft, event.description, input);
      return;
    case "accepted":
      draft.local = { ...draft.local, accepted: true };
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
      if (event.reason !== undefined && draft.remoteId !== undefined)
        effects.push({ type: "send", description: { ...describe(draft, context), close: event.reason } });
      disconnect(draft, effects);
      draft.ended = true;
  }
}

function bind(
  draft: Draft,
  instance: Instance,
  remoteId: string,
  { role }: AttemptContext,
  effects: AttemptEffect[],
): void {
  const { connection, operation, remote, sync } = draft;
  draft.instance = instance;
  draft.remoteId = remoteId;
  draft.confirmed = false;
  draft.refusedEpoch = 0;
  draft.remote = undefined;
  if (remote !== undefined) draft.sync = { ...sync, sentReceived: undefined, resendDelayMs: timing.resendFirstMs };
  const taken = (connection?.remoteEpoch ?? 0) > 0 || operation?.type === "answer" || operation?.type === "accept";
  if (!taken) return;
  disconnect(draft, effects);
  // Our offers may be known to the new one, so the next has a later epoch; an answer to another means nothing to it.
  draft.local = role === "controlling" ? { ...draft.local, accepted: true } : nothing;
}

function takeDescription(draft: Draft, description: Description, { nowMs }: Input): void {
  const { received } = description;
  const echoes = received?.sessionId === draft.id;
  if (echoes) draft.confirmed = true;
  const known = draft.remote;
  if (known === undefined || isNewer(progressOf(description), progressOf(known))) {
    // What it has of ours is taken separately: the newer description may be the older account.
    draft.remote = { ...description, received: echoes ? received : known?.received };
    draft.sync = {
      ...draft.sync,
      ackAtMs: Math.min(draft.sync.ackAtMs ?? Number.POSITIVE_INFINITY, nowMs + timing.ackMs),
    };
  } else if (lags(description, draft) && nowMs - draft.sync.sentAtMs >= timing.answerAgainMs) {
    // It repeats what we have: our last message was lost.
    draft.sync = { ...draft.sync, ackAtMs: nowMs };
  }
  if (echoes && draft.remote !== undefined) {
    const before = draft.remote.received;
    if (before?.sessionId !== draft.id || isNewer(received, before)) draft.remote = { ...draft.remote, received };
  }
}

function takeLocal(draft: Draft, description: AgentDescription, input: Input): void {
  const { operation } = draft;
  if (operation === undefined) return;
  const answers = operation.type === "answer";
  draft.local = {
    ...description,
    kind: answers ? "answer" : "offer",
    epoch: operation.epoch,
    candidates: [],
    candidatesComplete: false,
    accepted: answers,
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
function markTaken(draft: Draft, { nowMs }: Input): void {
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

function takeRefusal(draft: Draft, code: WiceErrorCode, input: Input, effects: AttemptEffect[]): void {
  const { operation, connection } = draft;
  draft.operation = undefined;
  if (operation === undefined || connection === undefined) return;
  if (operation.type === "answer") {
    // Of two things one: the peer's description is no good, or our connection cannot do what a new one can.
    if (connection.used && (code === "unsupported" || code === "closed")) disconnect(draft, effects);
    else draft.refusedEpoch = operation.epoch;
    return;
  }
  disconnect(draft, effects);
  // The offer is lost with the connection that made it: the next may be made.
  if (operation.type === "accept") draft.local = { ...draft.local, accepted: true };
  draft.restarts += 1;
  draft.restartAtMs = input.nowMs + restartDelayMs(draft);
}

function takeCandidate(draft: Draft, candidate: Candidate, ufrag: string, { nowMs }: Input): void {
  const { local, sync } = draft;
  if (ufrag !== local.ufrag || local.candidates.length >= maxCandidates) return;
  draft.local = { ...local, candidates: [...local.candidates, candidate] };
  draft.sync = { ...sync, sendAtMs: Math.min(sync.sendAtMs ?? Number.POSITIVE_INFINITY, nowMs + timing.coalesceMs) };
}

function takeState(
  draft: Draft,
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
      draft.restarts = 0;
      return;
    case "disconnected":
      // It may come back by itself; and both sides see it, of which one is enough.
      draft.restartAtMs = nowMs + timing.disconnectedMs + (role === "controlling" ? 0 : timing.secondSideMs);
      return;
    case "failed":
    case "closed":
      draft.connection = { ...draft.connection, waitingSinceMs: undefined };
      draft.restarts += 1;
      // A peer that closes says so in a message as well, which may be on its way.
      draft.restartAtMs =
        nowMs + (forged ? timing.forgedMs : restartDelayMs(draft) + (state === "closed" ? timing.closedMs : 0));
      if (role === "controlled") draft.restartAtMs += timing.secondSideMs;
      return;
    case "new":
  }
}

/** Nothing for the first time, then longer and longer. */
function restartDelayMs({ restarts }: Draft): number {
  if (restarts <= 1) return timing.restartFirstMs;
  return Math.min(timing.restartMostMs, timing.restartFirstMs * 2 ** (restarts - 1));
}

function takeTick(draft: Draft, input: Input, effects: AttemptEffect[]): void {
  const { nowMs } = input;
  if (draft.operation !== undefined && nowMs >= draft.operation.sinceMs + timing.operationMs)
    takeRefusal(draft, "closed", input, effects);
  const { connection, restartAtMs } = draft;
  const waiting = connection?.waitingSinceMs;
  if (connection !== undefined && waiting !== undefined && nowMs >= waiting + timing.connectMs) {
    draft.connection = { ...connection, waitingSinceMs: undefined };
    draft.restarts += 1;
    draft.wants = "restart";
  }
  if (restartAtMs !== undefined && nowMs >= restartAtMs) {
    draft.restartAtMs = undefined;
    draft.wants = "restart";
  }
}

function hurry(draft: Draft, { nowMs }: Input): void {
  const { sync } = draft;
  const { resendAtMs } = sync;
  const soon = nowMs + timing.resendFirstMs;
  draft.sync = {
    ...sync,
    resendDelayMs: Math.min(sync.resendDelayMs, timing.resendFirstMs),
    resendAtMs: resendAtMs === undefined ? undefined : Math.min(resendAtMs, soon),
  };
}

/** Decides what the connection does next, if anything. */
function negotiate(draft: Draft, context: AttemptContext, { nowMs }: Input, effects: AttemptEffect[]): void {
  if (draft.operation !== undefined) return;
  const { remote, local } = draft;
  const agent = commonAgent(draft, context);
  draft.noCommonAgent = remote !== undefined && agent === undefined;
  if (agent === undefined) return;

  if (remote !== undefined && isUnanswered(draft, context.role)) {
    const origin = originOf(remote.sdp);
    // An offer that is not from the connection that ours is with, or that ours cannot take any more, needs a new one.
    const { connection } = draft;
    const other = connection?.remoteOrigin !== undefined && connection.remoteOrigin !== origin;
    if (other || connection?.agent !== agent || connection.state === "closed") replace(draft, agent, effects);
    draft.operation = { type: "answer", epoch: remote.epoch, origin, sinceMs: nowMs };
    push(draft, effects, (connection) => ({ type: "answer", connection, offer: agentDescription(remote) }));
    return;
  }
  if (remote?.kind === "answer" && local.kind === "offer" && remote.epoch === local.epoch && !local.accepted) {
    const origin = originOf(remote.sdp);
    const { connection } = draft;
    if (connection !== undefined && (connection.remoteOrigin ?? origin) === origin) {
      draft.operation = { type: "accept", epoch: local.epoch, origin, sinceMs: nowMs };
      push(draft, effects, (number) => ({ type: "accept", connection: number, answer: agentDescription(remote) }));
      return;
    }
    // The peer has a new connection, and ours is with the old one.
    disconnect(draft, effects);
    draft.local = { ...local, accepted: true };
    draft.wants = "restart";
  }

  const { connection } = draft;
  const initial = context.role === "controlling" && (local.kind === "hello" || connection === undefined);
  const switched = connection !== undefined && connection.agent !== agent && context.role === "controlling";
  if (!initial && !switched && draft.wants === "nothing") return;
  if (draft.restartAtMs !== undefined && !switched && draft.wants === "nothing") return;
  if (!mayOffer(draft) && !switched) return;
  const restart = draft.wants === "restart";
  const fresh =
    connection === undefined ||
    switched ||
    connection.state === "closed" ||
    (restart && (!connection.canRestart || !connection.proven));
  if (fresh) replace(draft, agent, effects);
  const epoch = Math.max(local.epoch, remote?.epoch ?? 0) + 1;
  draft.operation = { type: "offer", epoch, origin: undefined, sinceMs: nowMs };
  push(draft, effects, (number) => ({ type: "offer", connection: number, restart: restart && !fresh }));
}

/** The first agent of the controlling peer that both have. Before the peer has said which it has, our first. */
function commonAgent({ remote }: Draft, { role, agents }: AttemptContext): AgentName | undefined {
  if (remote === undefined) return role === "controlling" ? agents[0] : undefined;
  const [first, second] = role === "controlling" ? [agents, remote.agents] : [remote.agents, agents];
  return first.find((name) => second.includes(name));
}

/** Whether there is an offer of the peer's that we have to answer. At equal epochs the controlling peer's offer stands. */
function isUnanswered({ remote, local, refusedEpoch }: Draft, role: Role): boolean {
  if (remote?.kind !== "offer" || remote.epoch <= refusedEpoch) return false;
  if (remote.epoch > local.epoch) return true;
  return remote.epoch === local.epoch && local.kind === "offer" && role === "controlled";
}

/** One offer at a time: the last one is answered, and the peer has got our last answer. */
function mayOffer({ local, remote }: Draft): boolean {
  if (local.kind === "hello") return remote === undefined || remote.kind === "hello";
  if (local.kind === "offer") return local.accepted;
  const { received } = remote ?? {};
  return received !== undefined && received.epoch === local.epoch && received.kind === local.kind;
}

function replace(draft: Draft, agent: AgentName, effects: AttemptEffect[]): void {
  disconnect(draft, effects);
  draft.connections += 1;
  draft.connection = {
    number: draft.connections,
    agent,
    state: "new",
    proven: false,
    remoteOrigin: undefined,
    remoteEpoch: 0,
    fed: 0,
    fedComplete: false,
    canRestart: false,
    used: false,
    waitingSinceMs: undefined,
  };
  effects.push({ type: "connect", connection: draft.connections, agent });
}

function disconnect(draft: Draft, effects: AttemptEffect[]): void {
  if (draft.connection === undefined) return;
  effects.push({ type: "disconnect", connection: draft.connection.number });
  draft.connection = undefined;
  draft.operation = undefined;
}

function push(draft: Draft, effects: AttemptEffect[], effect: (connection: number) => AttemptEffect): void {
  if (draft.connection !== undefined) effects.push(effect(draft.connection.number));
}

function agentDescription({ sdp, ufrag, pwd }: AgentDescription): AgentDescription {
  return { sdp, ufrag, pwd };
}

/** Gives the connection the candidates that belong to the description that it has. */
function feed(draft: Draft, effects: AttemptEffect[]): void {
  const { connection, remote, operation } = draft;
  if (connection === undefined || remote === undefined || operation !== undefined) return;
  if (connection.remoteEpoch === 0 || connection.remoteEpoch !== remote.epoch) return;
  const { number } = connection;
  const fresh = remote.candidates.slice(connection.fed);
  if (fresh.length > 0) effects.push({ type: "candidates", connection: number, candidates: fresh });
  const complete = remote.candidatesComplete && !connection.fedComplete;
  if (complete) effects.push({ type: "candidates-complete", connection: number });
  if (fresh.length > 0 || complete)
    draft.connection = {
      ...connection,
      fed: remote.candidates.length,
      fedComplete: connection.fedComplete || remote.candidatesComplete,
    };
}

/** Sends what is due, and sets when the next message is. */
function synchronise(draft: Draft, context: AttemptContext, input: Input, effects: AttemptEffect[]): void {
  const { nowMs, jitter } = input;
  const { sync, urgent } = draft;
  if (isDescribing(draft)) return;
  if (context.role === "controlling" && draft.local.kind === "hello" && draft.remote === undefined) return;
  const description = describe(draft, context);
  const due = [sync.sendAtMs, sync.ackAtMs, sync.resendAtMs].some((time) => time !== undefined && time <= nowMs);
  const owes = owesAck(sync.sentReceived, description.received);
  if (due) {
    const most = urgent ? timing.resendUrgentMs : timing.resendIdleMs;
    const repeated = sync.resendAtMs !== undefined && sync.resendAtMs <= nowMs;
    const delayMs = Math.min(most, repeated ? 2 * sync.resendDelayMs : sync.resendDelayMs);
    effects.push({ type: "send", description });
    draft.sync = {
      sent: progressOf(description),
      sentReceived: description.received,
      sentAtMs: nowMs,
      sendAtMs: undefined,
      ackAtMs: undefined,
      resendAtMs: nowMs + delayMs * (0.75 + 0.5 * jitter),
      resendDelayMs: delayMs,
    };
  } else if (!owes && sync.ackAtMs !== undefined) {
    draft.sync = { ...sync, ackAtMs: undefined };
  }
  if (draft.remote !== undefined && !lags(draft.remote, draft)) draft.sync = { ...draft.sync, resendAtMs: undefined };
}

function owesAck(sent: Received | undefined, now: Received | undefined): boolean {
  if (now === undefined) return false;
  return sent === undefined || sent.sessionId !== now.sessionId || isNewer(now, sent);
}

/** Whether the peer has not got all of ours. */
function lags({ received }: Pick<Description, "received">, { id, local }: Draft): boolean {
  return (
    received?.sessionId !== id || isNewer(progressOf({ ...local, candidateCount: local.candidates.length }), received)
  );
}

function describe(draft: Draft, { agents }: AttemptContext): Description {
  const { id, local, remote } = draft;
  const { kind, epoch, sdp, ufrag, pwd, candidates, candidatesComplete } = local;
  return {
    ...{ sessionId: id, kind, epoch, sdp, ufrag, pwd, candidates, candidatesComplete },
    candidateCount: candidates.length,
    agents,
    received: remote === undefined ? undefined : { sessionId: remote.sessionId, ...progressOf(remote) },
    close: undefined,
  };
}
