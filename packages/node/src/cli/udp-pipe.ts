/** Datagrams of a local program to the peer, and the peer's to the program. */

import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIPv4 } from "node:net";
import { type Session, WiceError } from "@wice/core";
import { onAbort } from "@wice/core/transport";
import type { UdpOption } from "./udp-option.ts";

export interface UdpPipe {
  /** Where the program sends to. */
  readonly address: string;
  readonly port: number;
  /** Resolves when the session is over. */
  carry(session: Session, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** What the program says before there is a session: its first word may be the one that counts. */
const maxEarly = 16;
/** A program that has not answered by then is probably not there, or speaks to another port. */
const silenceMs = 5_000;
/** Datagrams are not worth waiting for. */
const maxWaitingBytes = 1_048_576;
const bufferBytes = 4_194_304;

/**
 * Listens on this machine only where the program is on it; else for that one's machine only. Rejects with `address-in-use`
 * and `unavailable`.
 *
 * @param onSilence called once, when the program has got something, and said nothing at all in the 5 seconds since
 */
export async function openUdpPipe(
  { listenPort, host, port }: UdpOption,
  onSilence: () => void = () => {},
): Promise<UdpPipe> {
  const { address: program } = await lookup(host).catch((cause: unknown) => {
    throw new WiceError("unavailable", `--udp: ${host} has no address`, { cause });
  });
  const isOurs = /^127\.|^::1$/.test(program);
  const family = isIPv4(program) ? 4 : 6;
  // There are no names to look up: Node would do so for every datagram, and send it later.
  const socket = createSocket({ type: `udp${family}`, lookup: (address, _, done) => done(null, address, family) });
  const loopback = isIPv4(program) ? "127.0.0.1" : "::1";
  await bind(socket, listenPort, isOurs ? loopback : undefined);
  const early: Buffer[] = [];
  const keep = (datagram: Buffer): void => {
    early.push(datagram);
    if (early.length > maxEarly) early.shift();
  };
  let deliver = keep;
  let silence: NodeJS.Timeout | undefined;
  let speaks = false;
  socket.on("message", (datagram, from) => {
    if (!isOurs && from.address !== program) return;
    speaks = true;
    clearTimeout(silence);
    deliver(datagram);
  });
  // A program that is not there yet, or not any more.
  socket.on("error", () => {});

  return {
    address: isOurs ? loopback : socket.address().address,
    port: socket.address().port,
    async carry(session, signal) {
      const forget = onAbort(signal, () => void session.close({ reason: "interrupted", drainMs: 0 }));
      let waitingBytes = 0;
      deliver = (datagram) => {
        if (waitingBytes + datagram.length > maxWaitingBytes) return;
        waitingBytes += datagram.length;
        const settle = (): void => {
          waitingBytes -= datagram.length;
        };
        // What cannot be sent is lost, as datagrams are.
        session.send(datagram).then(settle, settle);
      };
      for (const datagram of early.splice(0)) deliver(datagram);
      try {
        for await (const bytes of session) {
          if (!speaks) silence ??= setTimeout(onSilence, silenceMs);
          socket.send(bytes, port, program);
        }
        signal.throwIfAborted();
      } finally {
        forget();
        deliver = keep;
      }
    },
    close() {
      clearTimeout(silence);
      socket.close();
    },
  };
}

async function bind(socket: Socket, port: number, address: string | undefined): Promise<void> {
  // It may listen, or fail, within the call.
  const listening = once(socket, "listening");
  socket.bind({ port, ...(address !== undefined && { address }), exclusive: true });
  try {
    await listening;
  } catch (cause) {
    socket.close();
    throw new WiceError("address-in-use", `--udp: port ${port} ${whyNot(cause)}`, { cause });
  }
  try {
    socket.setRecvBufferSize(bufferBytes);
    socket.setSendBufferSize(bufferBytes);
  } catch {
    // The system gives what it gives.
  }
}

function whyNot(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "EADDRINUSE") return "is taken by another program; name another one, or none for any that is free";
  if (code === "EACCES") return "is only for those with more rights; name one above 1023";
  return "cannot be had";
}
