/**
 * One attempt with a cunīcu daemon: our credentials and candidates, its own, and when to say ours again. A daemon keeps no
 * account of what came: whatever may be lost is said again until there is a connection.
 */

import type { AgentName } from "../agent/agent.ts";
import type { Candidate } from "../agent/candidate.ts";
import type { AttemptStep } from "../session/attempt.ts";
import type { Attempt, AttemptDraft, AttemptEffect, AttemptEvent } from "../session/attempt-state.ts";
import { maxCandidates } from "../session/description.ts";
import type { DaemonCredentials, DaemonState } from "../session/dialect.ts";
import type { Input } from "../session/input.ts";
import { disconnect } from "../session/negotiation.ts";
import { timing } from "../session/timing.ts";

export const freshDaemonState: DaemonState = {
  heard: false,
  candidates: [],
  used: false,
  idleSinceMs: undefined,
  spent: false,
};

export function daemonAttemptDeadline({ ended, operation, sync }: Attempt): number {
  if (ended) return Number.POSITIVE_INFINITY;
  const stuckAtMs = operation === undefined ? undefined : operation.sinceMs + timing.operationMs;
  return Math.min(stuckAtMs ?? Number.POSITIVE_INFINITY, sync.resendAtMs ?? Number.POSITIVE_INFINITY);
}

export function stepDaemonAttempt(attempt: Attempt, event: AttemptEvent, agent: AgentName, input: Input): AttemptStep {
  const isStale = "connection" in event && event.connection !== attempt.connection?.number;
  if (attempt.ended || attempt.daemon === undefined || isStale) return { attempt, effects: [] };
  const draft: AttemptDraft = { ...attempt };
  const effects: AttemptEffect[] = [];
  take(draft, event, agent, input, effects);
  if (!draft.ended) {
    accept(draft, input, effects);
    feed(draft, effects);
    speak(draft, input, effects);
  }
  return { attempt: draft, effects };
}

function take(
  draft: AttemptDraft,
  event: AttemptEvent,
  agent: AgentName,
  input: Input,
  effects: AttemptEffect[],
): void {
  const { nowMs } = input;
  switch (event.type) {
    case "begin":
      draft.connections = 1;
      draft.connection = { ...newConnection, agent };
      draft.operation = { type: "offer", epoch: 1, origin: undefined, sinceMs: nowMs };
      effects.push({ type: "connect", connection: 1, agent }, { type: "offer", connection: 1, restart: false });
      return;
    case "described":
      draft.operation = undefined;
      draft.local = { ...draft.local, ...event.description, kind: "offer", epoch: 1 };
      draft.sync = { ...draft.sync, resendAtMs: nowMs };
      return;
    case "accepted":
      draft.operation = undefined;
      change(draft, { idleSinceMs: nowMs });
      return;
    case "refused":
      draft.operation = undefined;
      change(draft, { spent: true });
      return;
    case "candidate":
      takeOurs(draft, event.candidate, event.ufrag, effects);
      return;
    case "state":
      takeState(draft, event.state, nowMs);
      return;
    case "daemon":
      if (event.said.candidate !== undefined) takeTheirs(draft, event.said.candidate, nowMs);
      if (event.said.credentials !== undefined) takeCredentials(draft, event.said.credentials, nowMs);
      return;
    case "restart":
      change(draft, { spent: true });
      return;
    case "urgent":
      draft.urgent = event.urgent;
      return;
    case "tick":
      if (draft.operation !== undefined && nowMs >= draft.operation.sinceMs + timing.operationMs)
        change(draft, { spent: true });
      return;
    case "end":
      // Daemons know no farewell: they notice.
      disconnect(draft, effects);
      draft.ended = true;
      return;
    case "bind":
    case "received":
    case "remind":
    case "ask":
    case "made":
    case "candidates-complete":
    case "negotiation-needed":
    // Nothing that a daemon could say, or would hear.
  }
}

/** What is said again, and when: everything, until there is a connection. */
function speak(draft: AttemptDraft, { nowMs, jitter }: Input, effects: AttemptEffect[]): void {
  const { connection, daemon, local, remote, sync, urgent } = draft;
  if (local.ufrag === "" || connection === undefined || connection.state === "connected") {
    draft.sync = { ...sync, resendAtMs: undefined };
    return;
  }
  if (sync.resendAtMs === undefined) draft.sync = { ...sync, resendAtMs: nowMs + timing.resendFirstMs };
  if (nowMs < (sync.resendAtMs ?? Number.POSITIVE_INFINITY)) return;
  const { ufrag, pwd, candidates } = local;
  effects.push({
    type: "speak",
    credentials: { ufrag, pwd, needCredentials: remote === undefined },
    // Before the daemon has said anything it has nobody to give them to.
    candidates: daemon?.heard === true ? candidates : [],
  });
  const delayMs = sync.resendDelayMs;
  draft.sync = {
    ...sync,
    sentAtMs: nowMs,
    resendAtMs: nowMs + delayMs * (0.75 + 0.25 * jitter),
    resendDelayMs: Math.min(2 * delayMs, urgent ? timing.resendUrgentMs : timing.resendIdleMs),
  };
}

function takeOurs(draft: AttemptDraft, candidate: Candidate, ufrag: string, effects: AttemptEffect[]): void {
  const { local, daemon } = draft;
  if (ufrag !== local.ufrag || local.candidates.length >= maxCandidates) return;
  draft.local = { ...local, candidates: [...local.candidates, candidate] };
  if (daemon?.heard === true) effects.push({ type: "speak", credentials: undefined, candidates: [candidate] });
}

function takeTheirs(draft: AttemptDraft, candidate: Candidate, nowMs: number): void {
  const known = draft.daemon?.candidates ?? [];
  const isKnown = known.some(
    ({ address, port, protocol }) =>
      address === candidate.address && port === candidate.port && protocol === candidate.protocol,
  );
  if (!draft.daemon?.heard) draft.sync = { ...draft.sync, resendAtMs: draft.local.ufrag === "" ? undefined : 0 };
  const idleSinceMs = draft.remote === undefined ? (draft.daemon?.idleSinceMs ?? nowMs) : draft.daemon?.idleSinceMs;
  const candidates = isKnown ? known : [...known, candidate].slice(-maxCandidates);
  change(draft, { heard: true, candidates, idleSinceMs });
}

function takeCredentials(draft: AttemptDraft, { ufrag, pwd, needCredentials }: DaemonCredentials, nowMs: number): void {
  const { local, sync, daemon } = draft;
  const isNews = draft.remote?.ufrag !== ufrag || draft.remote.pwd !== pwd;
  draft.confirmed = true;
  draft.heardAtMs = nowMs;
  if (isNews) draft.remote = describe(ufrag, pwd);
  const isIdle = needCredentials && nowMs - sync.sentAtMs >= timing.answerAgainMs;
  const isConnected = draft.connection?.state === "connected";
  // A daemon that asks has nothing of ours, whatever we have said.
  if ((isNews || isIdle || daemon?.heard !== true) && local.ufrag !== "" && !isConnected)
    draft.sync = { ...sync, resendAtMs: nowMs, resendDelayMs: timing.resendFirstMs };
  change(draft, { heard: true });
}

/** Both sides' credentials are known: the agent may begin. */
function accept(draft: AttemptDraft, { nowMs }: Input, effects: AttemptEffect[]): void {
  const { connection, daemon, local, operation, remote } = draft;
  if (connection === undefined || remote === undefined || local.ufrag === "" || operation !== undefined) return;
  if (daemon?.used !== false) return;
  change(draft, { used: true });
  draft.operation = { type: "accept", epoch: 1, origin: undefined, sinceMs: nowMs };
  const { sdp, ufrag, pwd } = remote;
  effects.push({ type: "accept", connection: connection.number, answer: { sdp, ufrag, pwd } });
}

function feed(draft: AttemptDraft, effects: AttemptEffect[]): void {
  const { connection, daemon, operation } = draft;
  if (connection === undefined || daemon?.used !== true || operation !== undefined) return;
  const candidates = daemon.candidates.slice(connection.fed);
  if (candidates.length === 0) return;
  effects.push({ type: "candidates", connection: connection.number, candidates });
  draft.connection = { ...connection, fed: connection.fed + candidates.length };
}

function takeState(
  draft: AttemptDraft,
  state: "new" | "connected" | "disconnected" | "failed" | "closed",
  nowMs: number,
): void {
  const { connection } = draft;
  if (connection === undefined) return;
  draft.connection = { ...connection, state, proven: connection.proven || state === "connected" };
  if (state === "connected") {
    draft.trouble = undefined;
    change(draft, { idleSinceMs: undefined });
  }
  if (state === "disconnected") change(draft, { idleSinceMs: nowMs });
  if (state === "failed") draft.trouble = "no-path";
  if (state === "failed" || state === "closed") change(draft, { spent: true });
}

function change(draft: AttemptDraft, changed: Partial<DaemonState>): void {
  draft.daemon = { ...(draft.daemon ?? freshDaemonState), ...changed };
}

function describe(ufrag: string, pwd: string): NonNullable<Attempt["remote"]> {
  return {
    ...{ sessionId: "", kind: "answer", epoch: 1, sdp: "", ufrag, pwd, candidates: [], candidateCount: 0 },
    ...{ candidatesComplete: false, agents: [], received: undefined, close: undefined, answerWanted: false },
  };
}

const newConnection: Omit<NonNullable<Attempt["connection"]>, "agent"> = {
  ...{ number: 1, state: "new", proven: false, remoteOrigin: undefined, remoteEpoch: 0, fed: 0 },
  ...{ fedComplete: false, canRestart: false, used: false, waitingSinceMs: undefined },
};
