/** What a session carries: stdin and stdout, or the datagrams of a local program. */

import type { Session, SessionEnd } from "@wice/core";
import type { Io } from "./io.ts";
import type { Output } from "./output.ts";
import { pipeSession } from "./session-pipe.ts";
import { parseUdpOption } from "./udp-option.ts";
import { openUdpPipe } from "./udp-pipe.ts";

export interface SessionCarrier {
  /** There is more to carry when a session is over: a program goes on sending datagrams, and a stream was one. */
  readonly lasts: boolean;
  /** Resolves when the session is over. */
  carry(session: Session, signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface SessionCarrierOptions {
  readonly udp: string | undefined;
  readonly agent: string | undefined;
  readonly json: boolean;
  readonly io: Io;
  readonly notes: Output;
}

/** Throws a usage error, and rejects with `address-in-use` and `unavailable`. */
export async function openCarrier({ udp, agent, json, io, notes }: SessionCarrierOptions): Promise<SessionCarrier> {
  if (udp === undefined)
    return { lasts: false, carry: (session, signal) => carryStream(session, { io, notes, json, signal }), close() {} };
  const option = parseUdpOption(udp);
  const { address, port, carry, close } = await openUdpPipe(option, () => {
    const text = `nothing has come from ${placeOf(option.host, option.port)} so far`;
    const next = `check that the program is there, and that it sends to ${placeOf(address, port)}`;
    void notes.line(json ? JSON.stringify({ type: "silent", text, next }) : notes.style.yellow(`${text} (${next})`));
  });
  if (json) await notes.line(JSON.stringify({ type: "udp", address, port }));
  else await notes.line(`what is sent to ${placeOf(address, port)} (UDP) goes to the peer`);
  return {
    lasts: true,
    async carry(session, signal) {
      // Two sides with --udp meet by datagrams, unless one of them was told to do otherwise.
      if (session.agent === "rtc" && agent === undefined && !json)
        await notes.line(notes.style.yellow("over WebRTC (both sides need --udp: check that the other one has it)"));
      await carry(session, signal);
    },
    close,
  };
}

function placeOf(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Resolves with how the session ended. Rejects where a stream is cut off, and with the signal's reason. */
export async function carryToEnd(
  { lasts, carry }: SessionCarrier,
  session: Session,
  signal: AbortSignal,
): Promise<SessionEnd> {
  try {
    await carry(session, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!lasts || session.state !== "closed") throw error;
  }
  return await session.closed;
}

async function carryStream(
  session: Session,
  { io, notes, json, signal }: Pick<SessionCarrierOptions, "io" | "notes" | "json"> & { readonly signal: AbortSignal },
): Promise<void> {
  if (session.agent === "datagram" && !json)
    await notes.line(notes.style.yellow("over datagrams: pieces may get lost (for a stream, both sides need rtc)"));
  await pipeSession(session, io, signal);
}
