/** The connections of a relay: how many from which address, and whether somebody is still at their other end. */

import { constants, type Http2Session, type ServerHttp2Session } from "node:http2";
import { isIPv6 } from "node:net";
import type { LiveCounters } from "./counters.ts";
import type { RelayLimits } from "./limits.ts";
import { createBucket, isFull, type TokenBucket } from "./token-bucket.ts";

/** What the relay knows of one address. Kept while it has connections, or has used a quota lately. */
export interface AddressState {
  connections: number;
  subscriptions: number;
  readonly bucket: TokenBucket;
}

export interface Connections {
  /** Registers a new session, or turns it away when its address has too many. */
  add(session: ServerHttp2Session): void;
  addressOf(session: Http2Session | undefined): AddressState;
  sessions(): Iterable<Http2Session>;
  /** Resolves when the last connection has ended. */
  gone(): Promise<void>;
  stop(): void;
}

interface Connection {
  readonly address: AddressState;
  pinged: boolean;
}

/** Connections are spread over this many turns, so that thousands of pings do not leave at once. */
const turns = 30;

/** Received bytes that may be under way on one connection; the default of 64 KiB is one large envelope. */
const connectionWindowBytes = 1_048_576;

/**
 * Every connection is pinged once in `pingIntervalMs` (HTTP/2 PING), and dropped when it has not answered until the next
 * time. A half-open connection (a laptop that fell asleep, a NAT that forgot) looks alive for a quarter of an hour
 * otherwise: that the kernel took what was written says nothing.
 */
export function createConnections(limits: RelayLimits, counters: LiveCounters, pingIntervalMs: number): Connections {
  const connections = new Map<Http2Session, Connection>();
  const addresses = new Map<string, AddressState>();
  const byTurn = Array.from({ length: turns }, () => new Set<Http2Session>());
  const nobody: AddressState = { connections: 0, subscriptions: 0, bucket: createBucket() };
  let turn = 0;
  let joined = 0;
  let onGone: (() => void) | undefined;

  const timer = setInterval(() => {
    turn = (turn + 1) % turns;
    for (const session of byTurn[turn] as Set<Http2Session>) {
      const connection = connections.get(session);
      if (connection !== undefined) probe(session, connection);
    }
    if (turn === 0) forgetAddresses(addresses, limits);
  }, pingIntervalMs / turns).unref();

  return {
    add(session) {
      const name = addressName(session.socket.remoteAddress);
      let address = addresses.get(name);
      if (address === undefined) {
        address = { connections: 0, subscriptions: 0, bucket: createBucket() };
        addresses.set(name, address);
      }
      if (address.connections >= limits.maxConnectionsPerAddress) {
        session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
        return;
      }
      const state = address;
      const mates = byTurn[joined++ % turns] as Set<Http2Session>;
      state.connections++;
      connections.set(session, { address: state, pinged: false });
      mates.add(session);
      counters.connections++;
      session.setLocalWindowSize(connectionWindowBytes);
      session.once("close", () => {
        connections.delete(session);
        mates.delete(session);
        state.connections--;
        counters.connections--;
        if (connections.size === 0) onGone?.();
      });
    },
    addressOf: (session) => (session === undefined ? undefined : connections.get(session)?.address) ?? nobody,
    sessions: () => connections.keys(),
    async gone() {
      if (connections.size === 0) return;
      await new Promise<void>((resolve) => {
        onGone = resolve;
      });
    },
    stop: () => clearInterval(timer),
  };
}

function probe(session: Http2Session, connection: Connection): void {
  if (connection.pinged) {
    session.destroy();
    return;
  }
  connection.pinged = true;
  // After a GOAWAY of the client's no ping is possible any more, and it has until the next time to finish.
  if (session.closed || session.destroyed) return;
  session.ping((error) => {
    if (error === null) connection.pinged = false;
  });
}

function forgetAddresses(addresses: Map<string, AddressState>, limits: RelayLimits): void {
  const nowMs = performance.now();
  for (const [name, { connections, subscriptions, bucket }] of addresses) {
    if (connections === 0 && subscriptions === 0 && isFull(bucket, limits.publishesPerAddress, nowMs))
      addresses.delete(name);
  }
}

/** What counts as one address: whoever has an IPv6 address usually has 2^64 of them. */
export function addressName(address: string | undefined): string {
  if (address === undefined) return "";
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1] as string;
  if (!isIPv6(address)) return address;
  const [head = "", tail] = (address.split("%")[0] as string).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(zeros).fill("0"), ...right].slice(0, 4).join(":");
}
