/** What an attempt's connection does next: offer, answer, take an answer, take candidates; or make room for a new one. */

import type { AgentDescription, AgentName } from "../agent/agent.ts";
import type { Role } from "../role.ts";
import type { AttemptContext, AttemptDraft, AttemptEffect } from "./attempt-state.ts";
import type { Description } from "./description.ts";
import type { Input } from "./input.ts";
import { originOf } from "./origin.ts";

/** Decides what the connection does next, if anything. */
export function negotiate(draft: AttemptDraft, context: AttemptContext, input: Input, effects: AttemptEffect[]): void {
  if (draft.operation === undefined) {
    const agent = commonAgent(draft, context);
    draft.noCommonAgent = draft.remote !== undefined && agent === undefined;
    if (agent !== undefined && !answer(draft, agent, context, input, effects) && !accept(draft, input, effects))
      offer(draft, agent, context, input, effects);
  }
  feed(draft, effects);
}

/** The first agent of the controlling peer that both have. Before the peer has said which it has, our first. */
function commonAgent(draft: AttemptDraft, context: AttemptContext): AgentName | undefined {
  const { remote } = draft;
  const { role, agents } = context;
  if (remote === undefined) return beginsWithOffer(draft, context) ? agents[0] : undefined;
  const [first, second] = role === "controlling" ? [agents, remote.agents] : [remote.agents, agents];
  return first.find((name) => second.includes(name));
}

/** Answers the peer's offer, if there is one that waits. */
function answer(
  draft: AttemptDraft,
  agent: AgentName,
  { role }: AttemptContext,
  { nowMs }: Input,
  effects: AttemptEffect[],
): boolean {
  const { remote, connection } = draft;
  if (remote === undefined || !isUnanswered(draft, remote, role)) return false;
  const origin = originOf(remote.sdp);
  // An offer that is not from the connection that ours is with, or that ours cannot take any more, needs a new one.
  const isOther = connection?.remoteOrigin !== undefined && connection.remoteOrigin !== origin;
  const number =
    isOther || connection?.agent !== agent || connection.state === "closed"
      ? replaceConnection(draft, agent, effects)
      : connection.number;
  draft.operation = { type: "answer", epoch: remote.epoch, origin, sinceMs: nowMs };
  effects.push({ type: "answer", connection: number, offer: agentDescription(remote) });
  return true;
}

/** At equal epochs the controlling peer's offer stands. */
function isUnanswered({ local, refused }: AttemptDraft, { kind, epoch }: Description, role: Role): boolean {
  if (kind !== "offer" || epoch <= (refused?.epoch ?? 0)) return false;
  return epoch > local.epoch || (epoch === local.epoch && local.kind === "offer" && role === "controlled");
}

/** Takes the answer to our offer, if it is there. */
function accept(draft: AttemptDraft, { nowMs }: Input, effects: AttemptEffect[]): boolean {
  const { remote, local, connection } = draft;
  if (remote?.kind !== "answer" || local.kind !== "offer" || remote.epoch !== local.epoch || local.settled)
    return false;
  const origin = originOf(remote.sdp);
  if (connection !== undefined && (connection.remoteOrigin ?? origin) === origin) {
    draft.operation = { type: "accept", epoch: local.epoch, origin, sinceMs: nowMs };
    effects.push({ type: "accept", connection: connection.number, answer: agentDescription(remote) });
    return true;
  }
  // The peer has a new connection, and ours is with the old one.
  disconnect(draft, effects);
  draft.wants = "restart";
  return false;
}

/**
 * Whether our first word is an offer. The controlling peer's is, and the controlled one's when it calls and has a single
 * agent: then there is none to wait for the choice of. Once the peer has spoken, the controlling one offers if nobody has.
 */
export function beginsWithOffer({ instance, remote }: AttemptDraft, { role, agents }: AttemptContext): boolean {
  const asksAnybody = instance === undefined && remote === undefined;
  return role === "controlling" || (asksAnybody && agents.length === 1);
}

/** Makes an offer, if one is due and may be made. */
function offer(
  draft: AttemptDraft,
  agent: AgentName,
  context: AttemptContext,
  { nowMs }: Input,
  effects: AttemptEffect[],
): void {
  const { role } = context;
  const { connection, local, remote, restartAtMs, wants } = draft;
  // The agent that we began with is none that the peer has.
  const isSwitched = role === "controlling" && connection !== undefined && connection.agent !== agent;
  const isInitial = beginsWithOffer(draft, context) && (local.kind === "hello" || connection === undefined);
  // After a failure everything waits for its turn.
  const isDue = wants === "restart" || (restartAtMs === undefined && (wants === "offer" || isInitial));
  if (!isSwitched && !(isDue && mayOffer(draft))) return;
  const restart = wants === "restart";
  const isFresh =
    connection === undefined ||
    isSwitched ||
    connection.state === "closed" ||
    (restart && (!connection.canRestart || !connection.proven));
  const number = isFresh ? replaceConnection(draft, agent, effects) : connection.number;
  const epoch = Math.max(local.epoch, remote?.epoch ?? 0) + 1;
  draft.operation = { type: "offer", epoch, origin: undefined, sinceMs: nowMs };
  effects.push({ type: "offer", connection: number, restart: restart && !isFresh });
}

/** One offer at a time: the last one is answered, and the peer has got our last answer. */
function mayOffer({ local, remote }: AttemptDraft): boolean {
  // What the peer has answered was somebody else's, or ours of another session.
  if (local.kind === "hello") return remote?.kind !== "offer";
  if (local.settled || local.kind === "offer") return local.settled;
  const { received } = remote ?? {};
  return received?.epoch === local.epoch && received.kind === local.kind;
}

/** A connection in place of the one that there is. Returns its number. */
function replaceConnection(draft: AttemptDraft, agent: AgentName, effects: AttemptEffect[]): number {
  disconnect(draft, effects);
  const number = draft.connections + 1;
  draft.connections = number;
  draft.connection = {
    number,
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
  effects.push({ type: "connect", connection: number, agent });
  return number;
}

/** The connection goes, and with it what it was doing and what it has offered. */
export function disconnect(draft: AttemptDraft, effects: AttemptEffect[]): void {
  if (draft.connection === undefined) return;
  effects.push({ type: "disconnect", connection: draft.connection.number });
  draft.connection = undefined;
  draft.operation = undefined;
  if (draft.local.kind === "offer") draft.local = { ...draft.local, settled: true };
}

/** Gives the connection the candidates that belong to the description that it has. */
function feed(draft: AttemptDraft, effects: AttemptEffect[]): void {
  const { connection, remote, operation } = draft;
  if (connection === undefined || remote === undefined || operation !== undefined) return;
  if (connection.remoteEpoch === 0 || connection.remoteEpoch !== remote.epoch) return;
  const { number, fed, fedComplete } = connection;
  const candidates = remote.candidates.slice(fed);
  if (candidates.length > 0) effects.push({ type: "candidates", connection: number, candidates });
  const isComplete = remote.candidatesComplete && !fedComplete;
  if (isComplete) effects.push({ type: "candidates-complete", connection: number });
  draft.connection = { ...connection, fed: fed + candidates.length, fedComplete: fedComplete || isComplete };
}

function agentDescription({ sdp, ufrag, pwd, ephemeralKey }: AgentDescription): AgentDescription {
  return { sdp, ufrag, pwd, ephemeralKey };
}
