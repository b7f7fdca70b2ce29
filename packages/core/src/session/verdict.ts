/** What `explain()` can say, and its words. */

import type { ServerError } from "../agent/agent.ts";
import type { WiceError } from "../errors.ts";
import type { EndCause } from "./peering-state.ts";

export interface Verdict {
  /** Stable: switch on it. */
  readonly code: VerdictCode;
  /** What is the matter. */
  readonly text: string;
  /** What to do about it. */
  readonly next: string;
}

export type VerdictCode =
  /** Data can flow. */
  | "connected"
  /** Nothing goes on with this peer. */
  | "idle"
  /** It is under way, and nothing is in the way so far. */
  | "connecting"
  /** The relay, or whatever else carries messages, cannot be reached or refuses. */
  | "relay-unreachable"
  /** The relay has nobody to give our messages to. */
  | "nobody-subscribed"
  /** Somebody takes our messages, and does not answer. */
  | "not-heard"
  /** The peer has answered that it does not want to talk to our key. */
  | "declined"
  | "no-common-agent"
  /** No connection can be made on this platform. */
  | "no-agent"
  /** The agent refuses what has to be done. */
  | "agent-failed"
  /** No pair of addresses answered. */
  | "no-path"
  /** A TURN server refused our credentials. */
  | "turn-refused"
  /** Whoever answered on the path is not the peer. */
  | "forged"
  /** It was connected, and is tried again. */
  | "reconnecting"
  /** The peer goes on with another instance of our key. */
  | "other-instance"
  | "closed-by-peer"
  | "closed";

export const idle: Verdict = { code: "idle", text: "nothing is going on with this peer", next: "connect to it" };

export const connected: Verdict = { code: "connected", text: "data can flow", next: "nothing" };

export function connecting(text: string): Verdict {
  return { code: "connecting", text, next: "wait a moment" };
}

export function relayUnreachable({ code, message }: WiceError): Verdict {
  return {
    code: "relay-unreachable",
    text: `signaling does not work: ${message}`,
    next:
      code === "unavailable"
        ? "check the URL of the relay, and that it runs; it is tried again until then"
        : "see what the relay has against it; it is tried again",
  };
}

export const nobodySubscribed: Verdict = {
  code: "nobody-subscribed",
  text: "nobody is subscribed at the relay with the peer's key",
  next: "start the peer, and check that both use the same relay and the right key; it is tried again until then",
};

export const notHeard: Verdict = {
  code: "not-heard",
  text: "messages were sent, and the peer has not answered",
  next: "check that the peer accepts our key: it may decline in silence",
};

export const noCommonAgent: Verdict = {
  code: "no-common-agent",
  text: "the two peers have no agent in common: WebRTC, or sealed or bare datagrams",
  next: "give one of them the other's agent as well",
};

export function noAgent({ message }: WiceError): Verdict {
  return { code: "no-agent", text: `no connection can be made here: ${message}`, next: "give the peer an agent" };
}

export function agentFailed({ message }: WiceError): Verdict {
  return {
    code: "agent-failed",
    text: `the agent cannot go on: ${message}`,
    next: "wait: it is tried again where that may help; else see the timelines of both sides",
  };
}

export const forged: Verdict = {
  code: "forged",
  text: "whoever answered on the path does not have the certificate that the peer has named in its sealed message",
  next: "try another network: somebody stands in between, or the peer is broken",
};

export function noPath(hasTurn: boolean, turnError: ServerError | undefined): Verdict {
  const code = "no-path";
  if (!hasTurn)
    return {
      code,
      text: "no pair of addresses answered, and no TURN server is configured",
      next: "configure a TURN server: some NATs and firewalls let nothing else through",
    };
  const turn = turnError === undefined ? "not even through TURN" : `and the TURN server ${turnError.url} does not work`;
  return {
    code,
    text: `no pair of addresses answered, ${turn}`,
    next: "check that the TURN server can be reached, and that its credentials are right",
  };
}

export function turnRefused({ url, code }: ServerError): Verdict {
  return {
    code: "turn-refused",
    text: `the TURN server ${url} refused the credentials (${code})`,
    next: "give it valid credentials",
  };
}

/** `why`: what else stands in the way of another path. */
export function reconnecting(why: Verdict | undefined): Verdict {
  return {
    code: "reconnecting",
    text: `it was connected, and the path is lost${why === undefined ? "" : `; ${why.text}`}`,
    next: why === undefined ? "wait: it is tried again; check the networks of both sides" : why.next,
  };
}

export function over({ cause, reason }: { readonly cause: EndCause; readonly reason: string }): Verdict {
  switch (cause) {
    case "declined":
      return { code: "declined", text: "the peer has declined", next: "ask the other side to accept our key" };
    case "other-instance":
      return {
        code: "other-instance",
        text: "the peer has taken another instance of our key: another tab, device or process",
        next: "go on there, or connect from here",
      };
    case "closed-by-peer":
      return {
        code: "closed-by-peer",
        text: `the peer has closed the session${reason === "" ? "" : ` (${reason})`}`,
        next: again,
      };
    case "closed":
      return { code: "closed", text: "the session was closed here", next: again };
    case "lost":
      return { code: "no-path", text: "the path was lost, and none was found for too long", next: "connect again" };
  }
}

const again = "connect again if it should go on";
