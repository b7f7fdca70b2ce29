/** What one peer tells the other about a session: its whole state, never a difference, so that any one message suffices. */

import { create } from "@bufbuild/protobuf";
import type { AgentDescription, AgentName } from "../agent/agent.ts";
import { type Candidate, readCandidate, writeCandidate } from "../agent/candidate.ts";
import { fromHex, toHex } from "../bytes.ts";
import {
  type SessionDescription,
  SessionDescriptionSchema,
  SessionDescription_Close_Cause as WireCause,
  SessionDescription_Kind as WireKind,
} from "../gen/wice/v1/message_pb.ts";

export type Kind = "hello" | "offer" | "answer";

export interface Description extends AgentDescription {
  /** 32 hexadecimal digits: names the session at its sender. */
  readonly sessionId: string;
  readonly kind: Kind;
  /** An answer has that of the offer that it answers; a hello 0, or the next after an answer to another session. */
  readonly epoch: number;
  readonly candidates: readonly Candidate[];
  /** How many there are on the wire; those that cannot be used are counted too. */
  readonly candidateCount: number;
  readonly candidatesComplete: boolean;
  /** By preference. Those that nobody here knows are left out. */
  readonly agents: readonly AgentName[];
  /** What the sender has of the recipient's. */
  readonly received: Received | undefined;
  /** The sender has ended the session. */
  readonly close: Close | undefined;
  /** The sender does not know that the recipient has all of this. */
  readonly answerWanted: boolean;
}

/** How far somebody has got with the other side's descriptions. */
export interface Received {
  readonly sessionId: string;
  readonly kind: Kind;
  readonly epoch: number;
  readonly candidates: number;
}

/** An orderly end. */
export interface Close {
  readonly cause: CloseCause;
  /** The application's words. */
  readonly reason: string;
}

/**
 * - `done`: the application wanted it;
 * - `other-instance`: another instance of the recipient's key was taken;
 * - `declined`: the sender does not talk to the recipient;
 * - `gone`: the sender has no such session, or not any more. Another one may be had.
 */
export type CloseCause = "done" | "other-instance" | "declined" | "gone";

/** More are ignored: no honest peer has so many addresses, and each costs a check for each of ours. */
export const maxCandidates = 64;

const sessionIdBytes = 16;
const ephemeralKeyBytes = 32;
/** As large as envelopes are. */
const maxSdpLength = 65_536;
const maxReasonLength = 128;

export function writeDescription(description: Description): SessionDescription {
  const { sessionId, kind, epoch, sdp, ufrag, pwd, ephemeralKey, candidatesComplete, agents, received } = description;
  const { close, answerWanted } = description;
  return create(SessionDescriptionSchema, {
    epoch: BigInt(epoch),
    ...{ ufrag, pwd, sdp, candidatesComplete, answerWanted },
    candidates: description.candidates.map(writeCandidate),
    sessionId: fromHex(sessionId),
    kind: wireKinds[kind],
    answerTo: BigInt(kind === "answer" ? epoch : 0),
    agents: [...agents],
    ...(ephemeralKey !== undefined && { ephemeralKey: new Uint8Array(ephemeralKey) }),
    ...(received !== undefined && {
      received: {
        sessionId: fromHex(received.sessionId),
        kind: wireKinds[received.kind],
        epoch: BigInt(received.epoch),
        candidates: received.candidates,
      },
    }),
    ...(close !== undefined && { close: { reason: inWords(close.reason), cause: wireCauses[close.cause] } }),
  });
}

/** Undefined for what no honest peer sends: the whole message is ignored then. */
export function readDescription(wire: SessionDescription): Description | undefined {
  const kind = kindOf(wire.kind);
  const epoch = Number(wire.epoch);
  const { ufrag, pwd, sdp, ephemeralKey } = wire;
  const described = kind !== "hello";
  if (
    kind === undefined ||
    wire.sessionId.length !== sessionIdBytes ||
    !Number.isSafeInteger(epoch) ||
    epoch < (described ? 1 : 0) ||
    (kind === "answer" && wire.answerTo !== wire.epoch) ||
    sdp.length > maxSdpLength ||
    (ephemeralKey.length !== 0 && ephemeralKey.length !== ephemeralKeyBytes) ||
    // RFC 8839, section 5.4.
    !(described ? /^[A-Za-z0-9+/]{4,256}$/ : /^$/).test(ufrag) ||
    !(described ? /^[A-Za-z0-9+/]{22,256}$/ : /^$/).test(pwd)
  )
    return undefined;
  return {
    sessionId: toHex(wire.sessionId),
    ...{ kind, epoch, sdp, ufrag, pwd },
    ephemeralKey: ephemeralKey.length === 0 ? undefined : ephemeralKey,
    candidates: wire.candidates
      .slice(0, maxCandidates)
      .map(readCandidate)
      .filter((candidate) => candidate !== undefined),
    candidateCount: wire.candidates.length,
    candidatesComplete: wire.candidatesComplete,
    agents: [...new Set(wire.agents.filter(isAgentName))],
    received: readReceived(wire.received),
    close: readClose(wire.close),
    answerWanted: wire.answerWanted,
  };
}

function readClose(wire: SessionDescription["close"]): Close | undefined {
  if (wire === undefined) return undefined;
  return { cause: causeOf(wire.cause), reason: inWords(wire.reason) };
}

/** Whatever an application gives as a reason has to fit into a message, and whatever comes may be shown to people. */
function inWords(reason: string): string {
  return reason.slice(0, maxReasonLength).replace(/[^\x20-\x7e]/g, " ");
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

const wireCauses: Readonly<Record<CloseCause, WireCause>> = {
  done: WireCause.UNSPECIFIED,
  "other-instance": WireCause.OTHER_INSTANCE,
  declined: WireCause.DECLINED,
  gone: WireCause.GONE,
};

function causeOf(wire: WireCause): CloseCause {
  switch (wire) {
    case WireCause.OTHER_INSTANCE:
      return "other-instance";
    case WireCause.DECLINED:
      return "declined";
    case WireCause.GONE:
      return "gone";
    default:
      return "done";
  }
}

function isAgentName(name: string): name is AgentName {
  return name === "rtc" || name === "datagram" || name === "datagram-bare";
}
