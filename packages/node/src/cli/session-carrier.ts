/** What a session carries: stdin and stdout, or the datagrams of a local program. */

import type { Session } from "@wice/core";
import type { Io } from "./io.ts";
import type { Output } from "./output.ts";
import { pipeSession } from "./session-pipe.ts";
import { parseUdpOption } from "./udp-option.ts";
import { openUdpPipe } from "./udp-pipe.ts";

export interface SessionCarrier {
  /** Resolves when the session is over. */
  carry(session: Session, signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface SessionCarrierOptions {
  readonly udp: string | undefined;
  readonly json: boolean;
  readonly io: Io;
  readonly notes: Output;
}

/** Throws a usage error, and rejects with `address-in-use` and `unavailable`. */
export async function openCarrier({ udp, json, io, notes }: SessionCarrierOptions): Promise<SessionCarrier> {
  if (udp === undefined)
    return { carry: (session, signal) => carryStream(session, { io, notes, json, signal }), close() {} };
  const option = parseUdpOption(udp);
  const pipe = await openUdpPipe(option);
  const { address, port } = pipe;
  const place = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  if (json) await notes.line(JSON.stringify({ type: "udp", address, port }));
  else await notes.line(`what is sent to ${place} (UDP) goes to the peer`);
  return pipe;
}

async function carryStream(
  session: Session,
  { io, notes, json, signal }: Pick<SessionCarrierOptions, "io" | "notes" | "json"> & { readonly signal: AbortSignal },
): Promise<void> {
  if (session.agent === "datagram" && !json)
    await notes.line(notes.style.yellow("over datagrams: pieces may get lost (for a stream, both sides need rtc)"));
  await pipeSession(session, io, signal);
}
