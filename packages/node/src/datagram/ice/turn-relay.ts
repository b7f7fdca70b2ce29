/** A place at a TURN server (RFC 8656): asked for, kept, and given back. */

import { randomBytes } from "node:crypto";
import type { Candidate, Clock, ServerError, Timer } from "@wice/core";
import { type Base, type BaseHandlers, candidatePriority, familyOf, foundationOf } from "./base.ts";
import type { TurnServer } from "./server-url.ts";
import { attribute, encodeStun, method, parseStun, readXorAddress, type StunMessage, uint32 } from "./stun-message.ts";
import { createTurnChannels } from "./turn-channels.ts";
import { createTurnPermissions } from "./turn-permissions.ts";
import { askAgainMs, createTurnRequests, isSilence } from "./turn-requests.ts";
import { openTurnTransport, type TurnTransport } from "./turn-transport.ts";

export interface TurnOptions extends BaseHandlers {
  readonly clock: Clock;
  /** For as long as the place is being asked for; whoever has it closes it. */
  readonly signal: AbortSignal;
  readonly localPreference: number;
  readonly ca: string | Buffer | undefined;
  /** The server does not keep it any more. */
  onLost(base: Base): void;
}

export interface Relay {
  readonly base: Base;
  /** Resolves with whether the server still has it: to one that knows us by our address, who has moved is a stranger. */
  check(): Promise<boolean>;
}

const udp = uint32(17 << 24);
const usualLifetimeS = 600;
/** A server may say anything. */
const mostLifetimeS = 86_400;

/** Resolves with what the server said instead, where it gives none: 701 where it cannot be reached. */
export async function allocateRelay(server: TurnServer, options: TurnOptions): Promise<Relay | ServerError> {
  const { clock, signal, localPreference, ca, onPacket, onLow, onLost } = options;
  const { url } = server;
  /** Nobody answers indications. */
  const indicationId = randomBytes(12);
  let closed = false;
  let base: Base | undefined;
  let transport: TurnTransport | undefined;
  let refreshing: Timer | undefined;
  let expiresAtMs = 0;

  const requests = createTurnRequests({ clock, server, send: (packet) => transport?.send(packet) });
  const lose = (): void => {
    if (closed) return;
    release();
    if (base !== undefined) onLost(base);
  };
  const permissions = createTurnPermissions({ clock, ask: requests.ask, onMismatch: lose });
  const channels = createTurnChannels({ clock, ask: requests.ask, onMismatch: lose });
  /** Gives the place back, or what may become one yet; nobody waits for the answer. */
  const leave = (): void => {
    if (closed) return;
    requests.tell(method.refresh, [[attribute.lifetime, uint32(0)]]);
    release();
  };
  const release = (): void => {
    closed = true;
    refreshing?.cancel();
    permissions.end();
    channels.end();
    requests.end();
    transport?.close();
    signal.removeEventListener("abort", leave);
  };

  const onServerPacket = (packet: Buffer): void => {
    if (((packet[0] ?? 0) & 0xc0) === 0x40) {
      const peer = packet.length < 4 ? undefined : channels.peerOf(packet.readUInt16BE(0));
      const end = packet.length < 4 ? 0 : 4 + packet.readUInt16BE(2);
      if (peer !== undefined && base !== undefined && end <= packet.length)
        onPacket(base, packet.subarray(4, end), peer.address, peer.port);
      return;
    }
    const message = parseStun(packet);
    if (message === undefined || requests.take(message)) return;
    if (message.kind !== "indication" || message.method !== method.data) return;
    const peer = readXorAddress(message.attributes.get(attribute.xorPeerAddress), message.id);
    const data = message.attributes.get(attribute.data);
    if (peer !== undefined && data !== undefined && base !== undefined) onPacket(base, data, peer.address, peer.port);
  };

  /** Resolves with whether the server has said that it keeps it. */
  const refresh = async (): Promise<boolean> => {
    refreshing?.cancel();
    const answer = await requests.ask(method.refresh, [[attribute.lifetime, uint32(usualLifetimeS)]]);
    if (closed) return false;
    if ("code" in answer) {
      if (!isSilence(answer) || clock.now() >= expiresAtMs) lose();
      else refreshLater(askAgainMs);
      return false;
    }
    keep(answer);
    return true;
  };
  const refreshLater = (delayMs: number): void => {
    refreshing?.cancel();
    refreshing = clock.schedule(delayMs, () => void refresh());
  };
  const keep = ({ attributes }: StunMessage): void => {
    const stated = attributes.get(attribute.lifetime);
    const lifetimeS = stated?.length === 4 ? Math.min(mostLifetimeS, stated.readUInt32BE(0)) : usualLifetimeS;
    expiresAtMs = clock.now() + 1_000 * lifetimeS;
    refreshLater(Math.max(1_000, lifetimeS * 500));
  };

  const wrap = (packet: Uint8Array, address: string, port: number): Buffer => {
    const channel = channels.numberOf(address, port);
    if (channel !== undefined) {
      const framed = Buffer.allocUnsafe(4 + packet.length);
      framed.writeUInt16BE(channel, 0);
      framed.writeUInt16BE(packet.length, 2);
      framed.set(packet, 4);
      return framed;
    }
    return encodeStun({
      method: method.send,
      kind: "indication",
      id: indicationId,
      attributes: [
        [attribute.xorPeerAddress, { address, port }],
        [attribute.data, packet],
      ],
    });
  };

  signal.addEventListener("abort", leave, { once: true });
  try {
    transport = await openTurnTransport(server, {
      ...{ signal, ca, onPacket: onServerPacket, onLost: lose },
      onLow: () => base !== undefined && onLow(base),
    });
  } catch {
    release();
    return { url, code: 701, text: "the TURN server cannot be reached" };
  }
  if (closed) {
    transport.close();
    return { url, code: 701, text: "closed" };
  }
  const answer = await requests.ask(method.allocate, [
    [attribute.lifetime, uint32(usualLifetimeS)],
    [attribute.requestedTransport, udp],
  ]);
  if (closed) return { url, code: 701, text: "the TURN server closed the connection" };
  const relayed =
    "code" in answer ? undefined : readXorAddress(answer.attributes.get(attribute.xorRelayedAddress), answer.id);
  if ("code" in answer || relayed === undefined) {
    // Of what it has said, the yes may be lost.
    if ("code" in answer && !isSilence(answer)) release();
    else leave();
    return "code" in answer ? answer : { url, code: 701, text: "the TURN server gives no address" };
  }
  signal.removeEventListener("abort", leave);
  keep(answer);
  const candidate: Candidate = {
    ...{ type: "relay", protocol: "udp", component: 1, address: relayed.address, port: relayed.port },
    // Where the server sees us is not for the peer: the relay may be there to hide it.
    ...{ tcpType: undefined, related: undefined },
    foundation: foundationOf("relay", relayed.address, url),
    priority: candidatePriority("relay", localPreference),
  };
  base = {
    candidate,
    family: familyOf(relayed.address),
    send(packet, address, port) {
      if (!closed && permissions.isPermitted(address)) transport?.send(wrap(packet, address, port));
    },
    sendPaced(packet, address, port) {
      if (!closed) transport?.sendPaced(wrap(packet, address, port));
    },
    get waitingBytes() {
      return transport?.waitingBytes ?? 0;
    },
    permit(address) {
      if (!closed) permissions.permit(address);
    },
    prefer(address, port) {
      if (!closed) channels.prefer({ address, port });
    },
    close: leave,
  };
  return { base, check: refresh };
}
