/** Where packets leave from and come in: a socket of this machine, or a place at a TURN server. */

import type { Candidate } from "@wice/core";
import { isLinkLocal, type LocalAddress } from "./local-addresses.ts";
import { openUdpSocket, type PortRange } from "./udp-socket.ts";

export interface Base {
  readonly candidate: Candidate;
  readonly family: 4 | 6;
  /** Sends it at once. What cannot be sent is lost. */
  send(packet: Uint8Array, address: string, port: number): void;
  /** Sends it when its turn comes. */
  sendPaced(packet: Uint8Array, address: string, port: number): void;
  /** Bytes that wait for their turn. */
  readonly waitingBytes: number;
  /** Packets from this address are wanted. */
  permit(address: string): void;
  /** This is where the data goes. */
  prefer(address: string, port: number): void;
  close(): void;
}

export interface BaseHandlers {
  onPacket(base: Base, packet: Buffer, address: string, port: number): void;
  /** Little waits again. */
  onLow(base: Base): void;
}

/** Rejects as {@link openUdpSocket} does. */
export async function openHostBase(
  { address, family, interfaceName }: LocalAddress,
  localPreference: number,
  range: PortRange | undefined,
  { onPacket, onLow }: BaseHandlers,
): Promise<Base> {
  const place = family === 6 && isLinkLocal(address) ? `${address}%${interfaceName}` : address;
  const socket = await openUdpSocket(place, range, {
    onPacket: (packet, from, port) => onPacket(base, packet, from, port),
    onLow: () => onLow(base),
  });
  const candidate: Candidate = {
    ...{ type: "host", protocol: "udp", component: 1, address: socket.address, port: socket.port },
    ...{ tcpType: undefined, related: undefined },
    foundation: foundationOf("host", socket.address),
    priority: candidatePriority("host", localPreference),
  };
  const base: Base = {
    candidate,
    family,
    send: socket.send,
    sendPaced: socket.sendPaced,
    get waitingBytes() {
      return socket.waitingBytes;
    },
    permit() {},
    prefer() {},
    close: socket.close,
  };
  return base;
}

/** RFC 8445, section 5.1.2. */
export function candidatePriority(type: Candidate["type"], localPreference: number): number {
  return preferences[type] * 2 ** 24 + localPreference * 2 ** 8 + 255;
}

const preferences: Readonly<Record<Candidate["type"], number>> = { host: 126, prflx: 110, srflx: 100, relay: 0 };

/** The same for candidates of one type from one address by one server: letters, digits, `+` and `/`. */
export function foundationOf(type: Candidate["type"], address: string, server = ""): string {
  let hash = 0x811c9dc5;
  for (const letter of `${type} ${address} ${server}`) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

export function familyOf(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}
