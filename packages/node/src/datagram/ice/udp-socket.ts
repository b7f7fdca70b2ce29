/** A UDP socket on one address: bound or refused, never in between; it paces what it sends, and says how much waits. */

import { createSocket, type Socket } from "node:dgram";
import { isIPv4 } from "node:net";
import { WiceError } from "@wice/core";
import { isLinkLocal } from "./local-addresses.ts";
import { normalAddress } from "./stun-message.ts";

export interface UdpSocket {
  readonly address: string;
  readonly port: number;
  /** Sends it at once, before what is paced. What cannot be sent is lost, as datagrams are. */
  send(packet: Uint8Array, address: string, port: number): void;
  /** Sends it when its turn comes. The oldest are lost above 4 MiB. */
  sendPaced(packet: Uint8Array, address: string, port: number): void;
  /** Bytes that wait for their turn. */
  readonly waitingBytes: number;
  close(): void;
}

export interface UdpHandlers {
  onPacket(packet: Buffer, address: string, port: number): void;
  /** Less than so much waits again as `lowBytes` says. */
  onLow?(): void;
}

export interface PortRange {
  readonly min: number;
  readonly max: number;
}

/** What the kernel keeps while JavaScript does something else: it holds 150,000 datagrams a second at 0.05 % loss. */
const bufferBytes = 4_194_304;
/**
 * So much leaves at a time, and in each millisecond: 500 Mbit/s. Faster than that it is lost where somebody on the way has
 * the buffer that systems give by default, which holds about 90 large datagrams.
 */
const burstBytes = 65_536;
/** The kernel needs about so much for a small one. */
const leastCost = 768;
/** So many leave in a turn of the event loop, since as many are read in one: the other side may be in this process. */
const burstPackets = 32;
const maxWaitingBytes = 4_194_304;
const lowBytes = 262_144;

/**
 * Rejects with `address-in-use` where no port of the range is free or the address is none of ours. A link-local address of
 * IPv6 comes with its interface, as `fe80::1%eth0`: there the addresses of others are on that one, too.
 */
export async function openUdpSocket(
  address: string,
  range: PortRange | undefined,
  handlers: UdpHandlers,
): Promise<UdpSocket> {
  const span = range === undefined ? 1 : range.max - range.min + 1;
  // Not always the same first: who comes next should not have to try all.
  const start = Math.floor(Math.random() * span);
  let last: unknown;
  for (let tries = 0; tries < span; tries++) {
    const port = range === undefined ? 0 : range.min + ((start + tries) % span);
    try {
      return over(await bind(address, port), address.split("%")[1], handlers);
    } catch (error) {
      last = error;
      if (!isTaken(error)) break;
    }
  }
  const what = range === undefined ? "no port" : `no port of ${range.min} to ${range.max}`;
  throw new WiceError("address-in-use", `${what} can be had at ${address}`, { cause: last, retryable: true });
}

function bind(address: string, port: number): Promise<Socket> {
  const family = isIPv4(address) ? 4 : 6;
  // There are no names to look up, and what is sent leaves within the call.
  const socket = createSocket({ type: `udp${family}`, lookup: (to, _, done) => done(null, to, family) });
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      socket.close();
      reject(error);
    };
    socket.once("error", onError);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off("error", onError);
      resolve(socket);
    });
  });
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EADDRINUSE" || error.code === "EACCES");
}

interface Packet {
  readonly bytes: Uint8Array;
  readonly address: string;
  readonly port: number;
}

function over(socket: Socket, zone: string | undefined, { onPacket, onLow }: UdpHandlers): UdpSocket {
  const { address, port } = socket.address();
  let closed = false;
  let waiting: Packet[] = [];
  let first = 0;
  let waitingBytes = 0;
  let turn: NodeJS.Timeout | NodeJS.Immediate | undefined;
  let allowance = burstBytes;
  let pumpedAtMs = performance.now();
  // What a later packet meets is no reason to end: the path is watched elsewhere.
  socket.on("error", () => {});
  socket.on("message", (packet, from) => {
    const source = from.address.includes(":") ? normalAddress(from.address) : from.address;
    if (!closed) onPacket(packet, source, from.port);
  });
  try {
    socket.setRecvBufferSize(bufferBytes);
    socket.setSendBufferSize(bufferBytes);
  } catch {
    // The system gives what it gives.
  }

  const send = ({ bytes, address: to, port: at }: Packet): void => {
    try {
      socket.send(bytes, at, zone !== undefined && isLinkLocal(to) ? `${to}%${zone}` : to);
    } catch {
      // No such port, or no such family.
    }
  };
  const take = (): Packet | undefined => {
    const packet = waiting[first];
    if (packet === undefined) return undefined;
    first += 1;
    waitingBytes -= packet.bytes.length;
    if (first > 1_024 || first === waiting.length) {
      waiting = waiting.slice(first);
      first = 0;
    }
    return packet;
  };
  /** Never twice in a turn of the event loop. */
  const begin = (): void => {
    turn = setImmediate(pump);
  };
  const stop = (): void => {
    clearTimeout(turn as NodeJS.Timeout | undefined);
    clearImmediate(turn as NodeJS.Immediate | undefined);
    turn = undefined;
  };
  const pump = (): void => {
    turn = undefined;
    const nowMs = performance.now();
    allowance = Math.min(burstBytes, allowance + (nowMs - pumpedAtMs) * burstBytes);
    pumpedAtMs = nowMs;
    const before = waitingBytes;
    for (let count = 0; count < burstPackets && allowance > 0; count++) {
      const packet = take();
      if (packet === undefined) break;
      allowance -= Math.max(leastCost, packet.bytes.length);
      send(packet);
    }
    if (first < waiting.length) {
      if (allowance > 0) begin();
      else turn = setTimeout(begin, 1);
    }
    if (before >= lowBytes && waitingBytes < lowBytes) onLow?.();
  };

  return {
    address: normalAddress(address),
    port,
    send(bytes, to, at) {
      if (!closed) send({ bytes, address: to, port: at });
    },
    sendPaced(bytes, to, at) {
      if (closed) return;
      waiting.push({ bytes, address: to, port: at });
      waitingBytes += bytes.length;
      while (waitingBytes > maxWaitingBytes) take();
      if (turn === undefined) begin();
    },
    get waitingBytes() {
      return waitingBytes;
    },
    close() {
      if (closed) return;
      closed = true;
      stop();
      waiting = [];
      waitingBytes = 0;
      socket.close();
    },
  };
}
