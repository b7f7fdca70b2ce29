/** The way to a TURN server: UDP, TCP or TLS, as packets in both directions. */

import { lookup } from "node:dns/promises";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { familyOf } from "./base.ts";
import type { TurnServer } from "./server-url.ts";
import { normalAddress } from "./stun-message.ts";
import { openUdpSocket } from "./udp-socket.ts";

export interface TurnTransport {
  /** Whether packets may be lost. */
  readonly isLossy: boolean;
  send(packet: Uint8Array): void;
  sendPaced(packet: Uint8Array): void;
  readonly waitingBytes: number;
  close(): void;
}

export interface TurnTransportHandlers {
  onPacket(packet: Buffer): void;
  onLow(): void;
  /** The server has closed it, or cannot be reached any more. */
  onLost(): void;
}

export interface TurnTransportOptions extends TurnTransportHandlers {
  readonly signal: AbortSignal;
  /** Certificates that are trusted instead of the system's. */
  readonly ca: string | Buffer | undefined;
}

const connectMs = 4_500;
const farewellMs = 1_000;
const maxWaitingBytes = 4_194_304;
const lowBytes = 262_144;
const headerBytes = 20;

/** Rejects where the server has no address, or does not take the connection. */
export async function openTurnTransport(server: TurnServer, options: TurnTransportOptions): Promise<TurnTransport> {
  const { address } = isIP(server.host) ? { address: server.host } : await lookup(server.host);
  options.signal.throwIfAborted();
  return server.transport === "udp"
    ? openUdp(server, normalAddress(address), options)
    : openStream(server, address, options);
}

async function openUdp({ port }: TurnServer, address: string, handlers: TurnTransportOptions): Promise<TurnTransport> {
  const socket = await openUdpSocket(familyOf(address) === 4 ? "0.0.0.0" : "::", undefined, {
    onPacket(packet, from, fromPort) {
      if (from === address && fromPort === port) handlers.onPacket(packet);
    },
    onLow: handlers.onLow,
  });
  if (handlers.signal.aborted) socket.close();
  return {
    isLossy: true,
    send: (packet) => socket.send(packet, address, port),
    sendPaced: (packet) => socket.sendPaced(packet, address, port),
    get waitingBytes() {
      return socket.waitingBytes;
    },
    close: socket.close,
  };
}

async function openStream(
  { host, port, transport }: TurnServer,
  address: string,
  { signal, ca, onPacket, onLow, onLost }: TurnTransportOptions,
): Promise<TurnTransport> {
  const socket: Socket =
    transport === "tcp"
      ? connect({ host: address, port, noDelay: true })
      : connectTls({
          host: address,
          port,
          ...(isIP(host) === 0 && { servername: host }),
          ...(ca !== undefined && { ca }),
        });
  await opened(socket, transport === "tcp" ? "connect" : "secureConnect", signal);
  const split = createSplitter(onPacket);
  let isHigh = false;
  socket.on("data", (piece: Buffer) => {
    if (!split(piece)) socket.destroy();
  });
  socket.on("error", () => {});
  socket.on("close", onLost);
  socket.on("drain", () => {
    if (isHigh) onLow();
    isHigh = false;
  });
  const send = (packet: Uint8Array): void => {
    // More waits than anybody wants to have: datagrams may be lost.
    if (socket.writableLength > maxWaitingBytes || socket.destroyed) return;
    const padding = -packet.length & 3;
    socket.write(padding === 0 ? packet : Buffer.concat([packet, Buffer.alloc(padding)]));
    isHigh ||= socket.writableLength >= lowBytes;
  };
  return {
    isLossy: false,
    send,
    sendPaced: send,
    get waitingBytes() {
      return socket.writableLength;
    },
    close() {
      socket.off("close", onLost);
      // Who does not take what is left is not waited for.
      const patience = setTimeout(() => socket.destroy(), farewellMs);
      socket.once("close", () => clearTimeout(patience));
      socket.end(() => socket.destroy());
    },
  };
}

function opened(socket: Socket, event: "connect" | "secureConnect", signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error("the server takes no connection")), connectMs);
    const onAbort = (): void => void socket.destroy(new Error("closed"));
    const settle = (then: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      then();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", (error) => settle(() => reject(error)));
    socket.once("close", () => settle(() => reject(new Error("the server closed the connection"))));
    socket.once(event, () => settle(resolve));
  });
}

/** STUN messages and channel data out of a stream (RFC 8656, section 12.5). Returns false for what is neither. */
function createSplitter(onPacket: (packet: Buffer) => void): (piece: Buffer) => boolean {
  let rest: Buffer = Buffer.alloc(0);
  return (piece) => {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    while (rest.length >= 4) {
      const bits = (rest[0] as number) >> 6;
      if (bits > 1) return false;
      const length = rest.readUInt16BE(2) + (bits === 0 ? headerBytes : 4);
      const whole = length + (-length & 3);
      if (rest.length < whole) break;
      onPacket(rest.subarray(0, length));
      rest = rest.subarray(whole);
    }
    return true;
  };
}
