/** A candidate pair: a base of ours and an address of the peer's, and what is known of the way between them. */

import { isIP } from "node:net";
import type { Candidate, Role } from "@wice/core";
import type { Base } from "./base.ts";
import { type Endpoint, normalAddress } from "./stun-message.ts";

export interface Pair {
  readonly base: Base;
  readonly remote: RemoteCandidate;
  /** Checks since it was last known to answer, or to begin with. */
  tries: number;
  nextAtMs: number;
  /** The peer has checked it: ours is due, before others. */
  triggered: boolean;
  /** A check of ours was answered: the way is open in both directions. */
  succeeded: boolean;
  /** The peer is at the other end: data from there is its. */
  trusted: boolean;
  /** The peer wants to use it. */
  nominated: boolean;
  answeredAtMs: number;
  roundTripMs: number | undefined;
  /** How the peer sees us here. */
  mapped: Endpoint | undefined;
}

export type RemoteCandidate = Pick<Candidate, "type" | "address" | "port" | "priority">;

export function createPair(base: Base, remote: RemoteCandidate): Pair {
  return {
    ...{ base, remote, tries: 0, nextAtMs: 0, triggered: false, succeeded: false, trusted: false, nominated: false },
    ...{ answeredAtMs: Number.NEGATIVE_INFINITY, roundTripMs: undefined, mapped: undefined },
  };
}

/** Negative where `a` comes first (RFC 8445, section 6.1.2.3). */
export function comparePairs(a: Pair, b: Pair, role: Role): number {
  const [lowA, highA, firstA] = orderOf(a, role);
  const [lowB, highB, firstB] = orderOf(b, role);
  return lowB - lowA || highB - highA || firstB - firstA;
}

function orderOf({ base, remote }: Pair, role: Role): readonly [number, number, number] {
  const ours = base.candidate.priority;
  const [controlling, controlled] = role === "controlling" ? [ours, remote.priority] : [remote.priority, ours];
  return [Math.min(ours, remote.priority), Math.max(ours, remote.priority), controlling > controlled ? 1 : 0];
}

/** Undefined for what nobody can be at, or nobody should be sent packets for. */
export function usableRemote({
  type,
  protocol,
  component,
  address,
  port,
  priority,
}: Candidate): RemoteCandidate | undefined {
  if (protocol !== "udp" || component !== 1 || port === 0 || isIP(address.split("%")[0] as string) === 0)
    return undefined;
  const normal = normalAddress(address);
  // Nobody in particular, everybody, and who is not asked.
  if (/^(0\.|22[4-9]\.|2[3-5]\d\.|::$|ff)/.test(normal)) return undefined;
  return { type, address: normal, port, priority };
}
