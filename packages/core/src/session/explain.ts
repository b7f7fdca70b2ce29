/** Why a session is not connected, in words that say what to do. */

import type { ConnectionState, ServerError } from "../agent/agent.ts";
import type { WiceError } from "../errors.ts";
import type { EndCause } from "./peering-state.ts";

export interface Verdict {
  readonly code: VerdictCode;
  /** What is the matter. */
  readonly text: string;
  /** What to do about it. */
  readonly next: string;
}

export type VerdictCode =
  | "connected"
  | "idle"
  | "connecting"
  | "relay-unreachable"
  | "nobody-subscribed"
  | "not-heard"
  | "declined"
  | "no-common-agent"
  | "no-agent"
  | "no-path"
  | "turn-refused"
  | "forged"
  | "reconnecting"
  | "other-instance"
  | "closed-by-peer"
  | "closed";

/** What is known about the way to a peer. */
export interface Facts {
  /** There is a session, or one is wanted. */
  active: boolean;
  connected: boolean;
  wasConnected: boolean;
  sentAtMs: number | undefined;
  heardAtMs: number | undefined;
  /** Of the latest message: how many subscribers the backend gave it to. */
  subscribers: number | undefined;
  /** What the backend has against it, since the last success. */
  backendError: WiceError | undefined;
  /** No connection can be made here. */
  agentError: WiceError | undefined;
  noCommonAgent: boolean;
  state: ConnectionState | undefined;
  forged: boolean;
  hasTurn: boolean;
  serverError: ServerError | undefined;
  /** How the latest session or attempt ended. */
  ended: { readonly cause: EndCause | "expired"; readonly reason: string } | undefined;
}

export function createFacts(hasTurn: boolean): Facts {
  return {
    active: false,
    connected: false,
    wasConnected: false,
    sentAtMs: undefined,
    heardAtMs: undefined,
    subscribers: undefined,
    backendError: undefined,
    agentError: undefined,
    noCommonAgent: false,
    state: undefined,
    forged: false,
    hasTurn,
    serverError: undefined,
    ended: undefined,
  };
}

/** The one thing that stands in the way most. */
export function explain(facts: Facts): Verdict {
  const { ended, backendError, serverError } = facts;
  if (facts.connected) return verdict("connected", "data can flow", "nothing");
  if (!facts.active) return ended === undefined ? idle : overVerdict(ended);
  if (facts.agentError !== undefined) {
    return verdict("no-agent", `no connection can be made here: ${facts.agentError.message}`, "give the peer an agent");
  }
  if (facts.wasConnected) {
    const relay = backendError === undefined ? "" : `; signaling is not there either: ${backendError.message}`;
    return verdict(
      "reconnecting",
      `it was connected, and the path is lost${relay}`,
      "wait: it is tried again until the session is closed; check the networks of both sides",
    );
  }
  if (facts.heardAtMs === undefined) return silentVerdict(facts);
  if (facts.noCommonAgent)
    return verdict(
      "no-common-agent",
      "the two peers have no agent in common: one has WebRTC only, the other raw ICE only",
      "give one of them the other's agent as well",
    );
  if (facts.forged)
    return verdict(
      "forged",
      "whoever answered on the path does not have the certificate that the peer has named in its sealed message",
      "somebody stands in between, or the peer is broken; try another network",
    );
  if (facts.state === "failed") {
    if (serverError !== undefined && [401, 403, 438].includes(serverError.code)) return turnVerdict(serverError);
    if (facts.hasTurn)
      return verdict(
        "no-path",
        "no pair of addresses answered, not even through TURN",
        "check that the TURN server relays",
      );
    return verdict(
      "no-path",
      "no pair of addresses answered, and no TURN server is configured",
      "configure a TURN server: some NATs and firewalls let nothing else through",
    );
  }
  if (serverError !== undefined && [401, 403, 438].includes(serverError.code)) return turnVerdict(serverError);
  if (ended?.cause === "other-instance") return overVerdict(ended);
  return verdict("connecting", "the peer has answered, and addresses are being tried", "wait a moment");
}

function silentVerdict({ backendError, sentAtMs, subscribers }: Facts): Verdict {
  if (backendError !== undefined)
    return verdict(
      "relay-unreachable",
      `signaling does not work: ${backendError.message}`,
      "check the URL of the relay, and that it runs; it is tried again until then",
    );
  if (sentAtMs === undefined) return verdict("connecting", "the first message is being prepared", "wait a moment");
  if (subscribers === 0)
    return verdict(
      "nobody-subscribed",
      "nobody is subscribed at the relay with the peer's key",
      "start the peer, and check that both use the same relay and the right key; it is tried again until then",
    );
  return verdict(
    "not-heard",
    "messages were sent, and the peer has not answered",
    "check that the peer accepts our key; it may decline in silence",
  );
}

function turnVerdict({ url, code }: ServerError): Verdict {
  return verdict(
    "turn-refused",
    `the TURN server ${url} refused the credentials (${code})`,
    "give it valid credentials",
  );
}

function overVerdict({ cause, reason }: NonNullable<Facts["ended"]>): Verdict {
  switch (cause) {
    case "declined":
      return verdict("declined", "the peer has declined", "ask the other side to accept our key");
    case "other-instance":
      return verdict(
        "other-instance",
        "the peer has taken another instance of our key: another tab or device",
        "go on there, or connect from here",
      );
    case "closed-by-peer":
      return verdict(
        "closed-by-peer",
        `the peer has closed the session (${reason})`,
        "connect again if it should go on",
      );
    case "closed":
      return verdict("closed", "the session was closed here", "connect again if it should go on");
    case "lost":
    case "expired":
      return verdict("no-path", "the path was lost, and none was found for too long", "connect again");
  }
}

const idle: Verdict = /* @__PURE__ */ verdict("idle", "nothing is going on with this peer", "connect to it");

function verdict(code: VerdictCode, text: string, next: string): Verdict {
  return { code, text, next };
}
