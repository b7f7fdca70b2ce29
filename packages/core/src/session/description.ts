/** What one peer tells the other about a session: its whole state, never a difference, so that any one message suffices. */

import { create } from "@bufbuild/protobuf";
import type { AgentDescription, AgentName } from "../agent/agent.ts";
import { type Candidate, readCandidate, writeCandidate } from "../agent/candidate.ts";
import { fromHex, toHex } from "../bytes.ts";
import {
  type SessionDescription,
  SessionDescription_CloseSchema,
  SessionDescription_ReceivedSchema,
  SessionDescriptionSchema,
  SessionDescription_Kind as WireKind,
} from "../gen/wice/v1/message_pb.ts";

export type Kind = "hello" | "offer" | "answer";

export interface Description extends AgentDescription {
  /** 32 hexadecimal digits: names the session at its sender. */
  readonly sessionId: string;
  readonly kind: Kind;
  /** 0 for a hello; an answer has the epoch of the offer that it answers. */
  readonly epoch: number;
  readonly candidates: readonly Candidate[];
  /** How many there are on the wire; those that cannot be used are counted too. */
  readonly candidateCount: number;
  readonly candidatesComplete: boolean;
  /** By preference. Those that nobody here knows are left out. */
  readonly agents: readonly AgentName[];
  /** What the sender has of the recipient's. */
  readonly received: Received | undefined;
  /** The sender has ended the session, for this reason. */
  readonly close: string | undefined;
}

/** How far somebody has got with the other side's descriptions. */
export interface Received {
  readonly sessionId: string;
  readonly kind: Kind;
  readonly epoch: number;
  readonly candidates: number;
}

/** More are ignored: no honest peer has so many addresses, and each costs a check for each of ours. */
export const maxCandidates = 64;

const sessionIdBytes = 16;
const maxSdpLength = 32_768;
const maxReasonLength = 128;

export function writeDescription(description: Description): SessionDescription {
  const { sessionId, kind, epoch, sdp, ufrag, pwd, candidatesComplete, agents, received, close } = description;
  return create(SessionDescriptionSchema, {
    epoch: BigInt(epoch),
    ...{ ufrag, pwd, sdp, candidatesComplete },
    candidates: description.candidates.map(writeCandidate),
    sessionId: fromHex(sessionId) ?? new Uint8Array(),
    kind: wireKinds[kind],
    answerTo: BigInt(kind === "answer" ? epoch : 0),
    agents: [...agents],
    ...(received !== undefined && {
      received: create(SessionDescription_ReceivedSchema, {
        sessionId: fromHex(received.sessionId) ?? new Uint8Array(),
        kind: wireKinds[received.kind],
        epoch: BigInt(received.epoch),
        candidates: received.candidates,
      }),
    }),
    ...(close !== undefined && { close: create(SessionDescription_CloseSchema, { reason: close }) }),
  });
}

/** Undefined for what no honest peer sends: the whole message is ignored then. */
export function readDescription(wire: SessionDescription): Description | undefined {
  const kind = kindOf(wire.kind);
  const epoch = Number(wire.epoch);
  const { ufrag, pwd, sdp } = wire;
  const described = kind !== "hello";
  if (
    kind === undefined ||
    wire.sessionId.length !== sessionIdBytes ||
    !Number.isSafeInteger(epoch) ||
    (described ? epoch < 1 : epoch !== 0) ||
    (kind === "answer" && wire.answerTo !== wire.epoch) ||
    sdp.length > maxSdpLength ||
    // RFC 8839, section 5.4.
    !(described ? /^[A-Za-z0-9+/]{4,256}$/ : /^$/).test(ufrag) ||
    !(described ? /^[A-Za-z0-9+/]{22,256}$/ : /^$/).test(pwd)
  )
    return undefined;
  return {
    sessionId: toHex(wire.sessionId),
    ...{ kind, epoch, sdp, ufrag, pwd },
    candidates: wire.candidates
      .slice(0, maxCandidates)
      .map(readCandidate)
      .filter((candidate) => candidate !== undefined),
    candidateCount: wire.candidates.length,
    candidatesComplete: wire.candidatesComplete,
    agents: wire.agents.filter(isAgentName),
    received: readReceived(wire.received),
    close: wire.close?.reason.replace(/[^\x20-\x7e]/g, " ").slice(0, maxReasonLength),
  };
}

function readReceived(wire: SessionDescription["received"]): Received | undefined {
  const kind = kindOf(wire?.kind);
  const epoch = Number(wire?.epoch);
  if (wire === undefined || wire.sessionId.length !== sessionIdBytes) return undefined;
  if (kind === undefined || !Number.isSafeInteger(epoch) || epoch < 0) return undefined;
  return { sessionId: toHex(wire.sessionId), kind, epoch, candidates: wire.candidates };
}

/**
 * Whether `a` is further than `b`: two descriptions of one session, or two accounts of what was received of it. Messages
 * overtake each other, and the older one says nothing new.
 */
export function isNewer(a: Progress, b: Progress): boolean {
  if (a.epoch !== b.epoch) return a.epoch > b.epoch;
  if (a.kind !== b.kind) return ranks[a.kind] > ranks[b.kind];
  return a.candidates > b.candidates;
}

export interface Progress {
  readonly kind: Kind;
  readonly epoch: number;
  readonly candidates: number;
}

export function progressOf({
  kind,
  epoch,
  candidateCount,
}: Omit<Progress, "candidates"> & { readonly candidateCount: number }): Progress {
  return { kind, epoch, candidates: candidateCount };
}

/** At one epoch, an offer may be taken back in favour of an answer, and nothing comes after an answer. */
const ranks: Readonly<Record<Kind, number>> = { hello: 0, offer: 1, answer: 2 };

const wireKinds: Readonly<Record<Kind, WireKind>> = {
  hello: WireKind.HELLO,
  offer: WireKind.OFFER,
  answer: WireKind.ANSWER,
};

function kindOf(wire: WireKind | undefined): Kind | undefined {
  switch (wire) {
    case WireKind.HELLO:
      return "hello";
    case WireKind.OFFER:
      return "offer";
    case WireKind.ANSWER:
      return "answer";
    default:
      return undefined;
  }
}

function isAgentName(name: string): name is AgentName {
  return name === "rtc" || name === "datagram";
}
