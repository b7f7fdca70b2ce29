/** The connections of a relay: how many from which address, and whether somebody is still at their other end. */

import type { ServerResponse } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import { isIPv6, type Socket } from "node:net";
import type { LiveCounters } from "./counters.ts";
import type { RelayLimits } from "./limits.ts";
import { createBucket, isFull, type TokenBucket } from "./token-bucket.ts";

/** What the relay knows of one address. Kept while it has connections, or has used a quota lately. */
export interface AddressState {
  connections: number;
  subscriptions: number;
  /** Of {@link RelayLimits.maxPendingBytesPerAddress}. */
  pendingBytes: number;
  readonly bucket: TokenBucket;
}

export interface Connections {
  /** Registers a new socket, or destroys it when its address has too many. */
  add(socket: Socket): Connection | undefined;
  /** From now on the connection speaks through another socket, which is a layer upon its first. */
  layer(connection: Connection, socket: Socket): void;
  /** The connection of a socket, while it is not closed. */
  of(socket: Socket): Connection | undefined;
  all(): Iterable<Connection>;
  /** Resolves when the last connection has ended. */
  gone(): Promise<void>;
  stop(): void;
}

export interface Connection {
  socket: Socket;
  readonly address: AddressState;
  /** Set where the client speaks HTTP/2. */
  session: ServerHttp2Session | undefined;
  /** The latest answer, where the client speaks HTTP/1.1. */
  response: ServerResponse | undefined;
  /** Requests that came before the answer to the latest, and are not answered. */
  unanswered: number;
  /** How often in a row it has not shown that it is alive. */
  missed: number;
  /** What HTTP/1.1 had written at the last look. */
  writtenBytes: number;
}

/** Connections are spread over this many turns, so that thousands of pings do not leave at once. */
const turns = 30;

/** With nothing to answer to, a reader is only slow for so many looks, and then gone. */
const patience = 3;

/**
 * Every connection is looked at once in `pingIntervalMs`. With HTTP/2 it is pinged, and dropped when it has not answered
 * until the next time. A half-open connection (a laptop that fell asleep, a NAT that forgot) looks alive for a quarter
 * of an hour otherwise: that the kernel took what was written says nothing. HTTP/1.1 has no ping: there the kernel's
 * keep-alive probes find who is gone while nothing is sent, and who takes nothing of what is sent is dropped.
 */
export function createConnections(limits: RelayLimits, counters: LiveCounters, pingIntervalMs: number): Connections {
  const connections = new Set<Connection>();
  const bySocket = new Map<Socket, Connection>();
  const addresses = new Map<string, AddressState>();
  const byTurn = Array.from({ length: turns }, () => new Set<Connection>());
  let turn = 0;
  let joined = 0;
  let onGone: (() => void) | undefined;

  const timer = setInterval(() => {
    turn = (turn + 1) % turns;
    for (const connection of byTurn[turn] as Set<Connection>) {
      if (connection.session === undefined) watch(connection);
      else probe(connection, connection.session);
    }
    if (turn === 0) forgetAddresses(addresses, limits);
  }, pingIntervalMs / turns).unref();

  return {
    add(socket) {
      const name = addressName(socket.remoteAddress);
      let address = addresses.get(name);
      if (address === undefined) {
        address = { connections: 0, subscriptions: 0, pendingBytes: 0, bucket: createBucket() };
        addresses.set(name, address);
      }
      if (address.connections >= limits.maxConnectionsPerAddress) {
        socket.destroy();
        return undefined;
      }
      const state = address;
      const mates = byTurn[joined++ % turns] as Set<Connection>;
      const connection: Connection = {
        socket,
        address: state,
        session: undefined,
        response: undefined,
        unanswered: 0,
        missed: 0,
        writtenBytes: 0,
      };
      state.connections++;
      connections.add(connection);
      bySocket.set(socket, connection);
      mates.add(connection);
      counters.connections++;
      socket.once("close", () => {
        connections.delete(connection);
        bySocket.delete(socket);
        bySocket.delete(connection.socket);
        mates.delete(connection);
        state.connections--;
        counters.connections--;
        if (connections.size === 0) onGone?.();
      });
      return connection;
    },
    layer(connection, socket) {
      if (!connections.has(connection)) return;
      connection.socket = socket;
      bySocket.set(socket, connection);
    },
    of: (socket) => bySocket.get(socket),
    all: () => connections,
    async gone() {
      if (connections.size === 0) return;
      await new Promise<void>((resolve) => {
        onGone = resolve;
      });
    },
    stop: () => clearInterval(timer),
  };
}

function probe(connection: Connection, session: ServerHttp2Session): void {
  if (connection.missed > 0) {
    session.destroy();
    return;
  }
  connection.missed = 1;
  // After a GOAWAY of the client's no ping is possible any more, and it has until the next time to finish.
  if (session.closed || session.destroyed) return;
  session.ping((error) => {
    if (error === null) connection.missed = 0;
  });
}

function watch(connection: Connection): void {
  const { socket, writtenBytes } = connection;
  const stuck = socket.writableLength > 0 && socket.bytesWritten === writtenBytes;
  connection.writtenBytes = socket.bytesWritten;
  connection.missed = stuck ? connection.missed + 1 : 0;
  if (connection.missed >= patience) socket.destroy();
}

function forgetAddresses(addresses: Map<string, AddressState>, limits: RelayLimits): void {
  const nowMs = performance.now();
  for (const [name, { connections, subscriptions, pendingBytes, bucket }] of addresses) {
    const idle = connections === 0 && subscriptions === 0 && pendingBytes === 0;
    if (idle && isFull(bucket, limits.publishesPerAddress, nowMs)) addresses.delete(name);
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
