/** What an attempt at a session is, and what can happen to it. */

import type { AgentDescription, AgentName, ConnectionState } from "../agent/agent.ts";
import type { Candidate } from "../agent/candidate.ts";
import type { Instance } from "../backend/backend.ts";
import type { WiceErrorCode } from "../errors.ts";
import type { Role } from "../role.ts";
import type { Close, Description, Kind, Progress, Received } from "./description.ts";
import type { DaemonCredentials, DaemonSaid, DaemonState } from "./dialect.ts";
import type { Input } from "./input.ts";
import { timing } from "./timing.ts";

/** What never changes about an attempt. */
export interface AttemptContext {
  readonly role: Role;
  /** Ours, by preference. */
  readonly agents: readonly AgentName[];
}

/**
 * Why there is an attempt:
 * - `call`: we call, and the peer is asked or has answered;
 * - `accepted`: the peer calls, and may;
 * - `called-back`: the peer calls, and may because we call it too.
 */
export type Grounds = "call" | "accepted" | "called-back";

export interface Attempt {
  /** Our session id. */
  readonly id: string;
  /** The peer's instance; undefined while we ask any of its key. */
  readonly instance: Instance | undefined;
  /** The peer's session id. */
  readonly remoteId: string | undefined;
  /** The peer has named our session id: it is there, and no recording. */
  readonly confirmed: boolean;
  /** When the present instance and session of the peer's were first heard of. */
  readonly metAtMs: number;
  /** When a message last came that names our session id. */
  readonly heardAtMs: number;
  readonly grounds: Grounds;
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
  /** An offer of the peer's that could not be taken, and until when it is not tried again. */
  readonly refused: { readonly epoch: number; readonly untilMs: number } | undefined;
  /** An offer is due as soon as one may be made: the application's, or to restart ICE. */
  readonly wants: "nothing" | "offer" | "restart";
  /** When to restart a connection that does not answer. */
  readonly restartAtMs: number | undefined;
  /** Failures in a row. */
  readonly failures: number;
  /**
   * How often in a row somebody else's certificate was met. Once or twice is no proof: node-datachannel checks the peer's in a thread
   * that may be ahead of the answer which names it.
   */
  readonly forgeries: number;
  readonly noCommonAgent: boolean;
  /** What came of the latest look for a path, until one is found: nothing, or somebody else. */
  readonly trouble: "no-path" | "forged" | undefined;

  readonly sync: Sync;
  readonly ended: boolean;
  /** Only of attempts with cunīcu daemons. */
  readonly daemon: DaemonState | undefined;
}

/** What we say of ourselves. */
interface Local extends AgentDescription {
  readonly kind: Kind;
  readonly epoch: number;
  readonly candidates: readonly Candidate[];
  readonly candidatesComplete: boolean;
  /** Of an offer: its answer was taken, or none is waited for any more. */
  readonly settled: boolean;
}

interface Connection {
  readonly number: number;
  readonly agent: AgentName;
  readonly state: ConnectionState;
  /** It was connected at some time. */
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
  /** What was sent last of what we have of the peer's. */
  readonly sentReceived: Received | undefined;
  readonly sentAtMs: number;
  /** Our description changed: when it leaves. */
  readonly sendAtMs: number | undefined;
  /** The peer should be told what we have of it: when that leaves at the latest. */
  readonly ackAtMs: number | undefined;
  /** The peer lags: when to repeat, and how long to wait after that. */
  readonly resendAtMs: number | undefined;
  readonly resendDelayMs: number;
  /** What was sent last did not get through, or its answer did not. */
  readonly doubted: boolean;
  /** Any answer is wanted: is the peer still there? */
  readonly asking: boolean;
}

export type AttemptEvent =
  | { readonly type: "begin" }
  /** The first of an instance and a session that it was not with before. What was taken of another is void. */
  | { readonly type: "bind"; readonly instance: Instance; readonly description: Description }
  | { readonly type: "received"; readonly description: Description }
  /** Of a daemon. */
  | { readonly type: "daemon"; readonly said: DaemonSaid }
  /** Is the peer still there? It is to answer, whichever way. */
  | { readonly type: "ask" }
  /** The peer does not seem to know how things stand: it is told again. */
  | { readonly type: "remind" }
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
  /** Without a close, the peer is not told. */
  | { readonly type: "end"; readonly close: Close | undefined };

export type AttemptEffect =
  /** `again`: what was said before may not have got through; another way may be better. */
  | { readonly type: "send"; readonly description: Description; readonly again: boolean }
  | { readonly type: "connect"; readonly connection: number; readonly agent: AgentName }
  | { readonly type: "offer"; readonly connection: number; readonly restart: boolean }
  | { readonly type: "answer"; readonly connection: number; readonly offer: AgentDescription }
  | { readonly type: "accept"; readonly connection: number; readonly answer: AgentDescription }
  | { readonly type: "candidates"; readonly connection: number; readonly candidates: readonly Candidate[] }
  | { readonly type: "candidates-complete"; readonly connection: number }
  | { readonly type: "disconnect"; readonly connection: number }
  /** To a daemon: each in a message of its own. */
  | {
      readonly type: "speak";
      readonly credentials: DaemonCredentials | undefined;
      readonly candidates: readonly Candidate[];
    };

/** An attempt while an event is taken. */
export type AttemptDraft = { -readonly [K in keyof Attempt]: Attempt[K] };

/** A new attempt, which has to `begin`. */
export function createAttempt(
  { nowMs, freshId }: Pick<Input, "nowMs" | "freshId">,
  given: Pick<Attempt, "instance" | "grounds" | "urgent" | "daemon">,
): Attempt {
  return {
    ...given,
    id: freshId,
    remoteId: undefined,
    confirmed: false,
    metAtMs: nowMs,
    heardAtMs: Number.NEGATIVE_INFINITY,
    startedAtMs: nowMs,
    local: nothingYet,
    remote: undefined,
    connection: undefined,
    connections: 0,
    operation: undefined,
    refused: undefined,
    wants: "nothing",
    restartAtMs: undefined,
    failures: 0,
    forgeries: 0,
    noCommonAgent: false,
    trouble: undefined,
    sync: {
      sentReceived: undefined,
      sentAtMs: Number.NEGATIVE_INFINITY,
      sendAtMs: undefined,
      ackAtMs: undefined,
      resendAtMs: undefined,
      resendDelayMs: timing.resendFirstMs,
      doubted: false,
      asking: false,
    },
    ended: false,
  };
}

export const nothingYet: Local = {
  kind: "hello",
  epoch: 0,
  sdp: "",
  ufrag: "",
  pwd: "",
  candidates: [],
  candidatesComplete: false,
  settled: false,
};

/** How far our own description has got. */
export function localProgress({ local: { kind, epoch, candidates } }: Attempt | AttemptDraft): Progress {
  return { kind, epoch, candidates: candidates.length };
}

export function isConnected({ connection, ended }: Attempt): boolean {
  return connection?.state === "connected" && !ended;
}
