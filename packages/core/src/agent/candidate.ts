/** An ICE candidate (RFC 8445), as text, as protobuf, and as what both mean. */

import { create } from "@bufbuild/protobuf";
import {
  CandidateSchema,
  CandidateType,
  NetworkType,
  TCPType,
  type Candidate as WireCandidate,
} from "../gen/cunicu/epdisc/epdisc_pb.ts";

export interface Candidate {
  readonly foundation: string;
  /** 1; with max-bundle and rtcp-mux there is no other. */
  readonly component: number;
  readonly protocol: "udp" | "tcp";
  /** Up to 2^31 − 1. */
  readonly priority: number;
  /** IPv4, IPv6 without brackets, or a name such as mDNS makes: `….local`. */
  readonly address: string;
  readonly port: number;
  readonly type: "host" | "srflx" | "prflx" | "relay";
  readonly tcpType: "active" | "passive" | "so" | undefined;
  readonly related: { readonly address: string; readonly port: number } | undefined;
}

const maxTextBytes = 256;

/**
 * Reads the value of a `candidate` attribute (RFC 8839, section 5.1), with or without `a=` or `candidate:` before it.
 * Undefined for what is none, or of a kind that nobody here knows; extensions are ignored.
 */
export function parseCandidate(line: string): Candidate | undefined {
  const text = line
    .trim()
    .replace(/^a=/, "")
    .replace(/^candidate:/, "");
  const [foundation, component, protocol, priority, address, port, typ, type, ...rest] = text.split(/\s+/);
  if (typ !== "typ") return undefined;
  const attributes = new Map<string, string>();
  for (let i = 0; i + 1 < rest.length; i += 2) attributes.set(rest[i] as string, rest[i + 1] as string);
  const relatedAddress = attributes.get("raddr");
  const relatedPort = Number(attributes.get("rport"));
  return checkCandidate({
    foundation: foundation ?? "",
    component: Number(component),
    protocol: protocol?.toLowerCase() as Candidate["protocol"],
    priority: Number(priority),
    address: address ?? "",
    port: Number(port),
    type: type as Candidate["type"],
    tcpType: attributes.get("tcptype") as Candidate["tcpType"],
    related:
      relatedAddress !== undefined && isPort(relatedPort) ? { address: relatedAddress, port: relatedPort } : undefined,
  });
}

/** The value of a `candidate` attribute, `candidate:` included. */
export function formatCandidate(candidate: Candidate): string {
  const { foundation, component, protocol, priority, address, port, type, tcpType, related } = candidate;
  const parts = ["candidate:", foundation, " ", component, " ", protocol, " ", priority, " ", address, " ", port];
  const tail = related === undefined ? "" : ` raddr ${related.address} rport ${related.port}`;
  return `${parts.join("")} typ ${type}${tail}${tcpType === undefined ? "" : ` tcptype ${tcpType}`}`;
}

/** From the wire. Undefined where it cannot be used: it is a stranger's text, and goes into ICE. */
export function readCandidate(wire: WireCandidate): Candidate | undefined {
  const network = networks[wire.networkType];
  const type = types[wire.type];
  if (network === undefined || type === undefined) return undefined;
  return checkCandidate({
    foundation: wire.foundation,
    component: wire.component,
    protocol: network,
    priority: wire.priority,
    address: wire.address,
    port: wire.port,
    type,
    tcpType: tcpTypes[wire.tcpType],
    related:
      wire.relatedAddress !== undefined && isPort(wire.relatedAddress.port)
        ? { address: wire.relatedAddress.address, port: wire.relatedAddress.port }
        : undefined,
  });
}

export function writeCandidate(candidate: Candidate): WireCandidate {
  const { foundation, component, protocol, priority, address, port, type, tcpType, related } = candidate;
  const six = address.includes(":");
  const udp = six ? NetworkType.UDP6 : NetworkType.UDP4;
  const tcp = six ? NetworkType.TCP6 : NetworkType.TCP4;
  return create(CandidateSchema, {
    ...{ foundation, component, priority, address, port },
    type: numberOf<CandidateType>(types, type),
    networkType: protocol === "udp" ? udp : tcp,
    tcpType: tcpType === undefined ? TCPType.UNSPECIFIED_TCP_TYPE : numberOf<TCPType>(tcpTypes, tcpType),
    ...(related !== undefined && { relatedAddress: related }),
  });
}

function checkCandidate(candidate: Candidate): Candidate | undefined {
  const { foundation, component, protocol, priority, address, port, type, tcpType, related } = candidate;
  const texts = [foundation, address, related?.address ?? ""];
  const fine =
    /^[A-Za-z0-9+/]{1,32}$/.test(foundation) &&
    isAddress(address) &&
    (related === undefined || isAddress(related.address)) &&
    texts.every((text) => text.length <= maxTextBytes) &&
    Number.isInteger(component) &&
    component >= 1 &&
    component <= 256 &&
    Number.isInteger(priority) &&
    priority >= 0 &&
    priority < 2 ** 31 &&
    isPort(port) &&
    ["udp", "tcp"].includes(protocol) &&
    ["host", "srflx", "prflx", "relay"].includes(type) &&
    (tcpType === undefined || ["active", "passive", "so"].includes(tcpType));
  return fine ? candidate : undefined;
}

/** What cannot be anything but an address or a host name. */
function isAddress(text: string): boolean {
  return /^[A-Za-z0-9.:%_-]+$/.test(text);
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 65_535;
}

const types: Readonly<Partial<Record<CandidateType, Candidate["type"]>>> = {
  [CandidateType.HOST]: "host",
  [CandidateType.SERVER_REFLEXIVE]: "srflx",
  [CandidateType.PEER_REFLEXIVE]: "prflx",
  [CandidateType.RELAY]: "relay",
};

const networks: Readonly<Partial<Record<NetworkType, Candidate["protocol"]>>> = {
  [NetworkType.UDP4]: "udp",
  [NetworkType.UDP6]: "udp",
  [NetworkType.TCP4]: "tcp",
  [NetworkType.TCP6]: "tcp",
};

const tcpTypes: Readonly<Partial<Record<TCPType, Candidate["tcpType"]>>> = {
  [TCPType.ACTIVE]: "active",
  [TCPType.PASSIVE]: "passive",
  [TCPType.SIMULTANEOUS_OPEN]: "so",
};

/** The number that stands for a word. */
function numberOf<N extends number>(
  words: Readonly<Partial<Record<N, string | undefined>>>,
  word: string | undefined,
): N {
  const found = Object.entries(words).find(([, each]) => each === word);
  return Number(found?.[0] ?? 0) as N;
}
