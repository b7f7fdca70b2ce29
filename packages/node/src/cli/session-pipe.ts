/** Stdin to the peer, and what the peer sends to stdout. */

import { once } from "node:events";
import type { Session } from "@wice/core";
import { onAbort } from "@wice/core/transport";
import type { Io } from "./io.ts";
import { OutputClosed } from "./output.ts";

/** A message is a piece of the stream; every implementation takes this much. */
const pieceBytes = 65_536;
/** Whoever ends in order waits until the peer has everything, however long that takes. */
const patienceMs = 2 ** 31 - 1;

/**
 * Resolves when the session is over. The end of the input ends it, once the peer has taken everything; an input that has
 * nothing at all (`< /dev/null`) does not.
 */
export async function pipeSession(session: Session, io: Io, signal: AbortSignal): Promise<void> {
  const forget = onAbort(signal, () => void session.close({ reason: "interrupted", drainMs: 0 }));
  const { stdin } = io;
  try {
    await Promise.all([readInput(session, stdin), writeOutput(session, io)]);
    signal.throwIfAborted();
  } finally {
    forget();
    stdin.destroy();
  }
}

async function readInput(session: Session, stdin: Io["stdin"]): Promise<void> {
  void session.closed.then(() => stdin.destroy());
  let some = false;
  try {
    for await (const chunk of stdin) {
      some = true;
      const bytes: Uint8Array = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      const most = Math.min(pieceBytes, session.maxMessageBytes);
      for (let at = 0; at < bytes.length; at += most) await session.send(bytes.subarray(at, at + most));
    }
  } catch (error) {
    // It ended while we were reading, or sending.
    if (session.state === "closed") return;
    throw error;
  }
  if (some && session.state !== "closed") await session.close({ drainMs: patienceMs });
}

async function writeOutput(session: Session, { stdout }: Io): Promise<void> {
  for await (const bytes of session) {
    if (stdout.destroyed) throw new OutputClosed("nobody reads the output");
    if (!stdout.write(bytes)) await drained(stdout);
  }
}

/** Resolves when more can be written, or nothing ever. */
async function drained(stdout: Io["stdout"]): Promise<void> {
  const enough = new AbortController();
  const { signal } = enough;
  try {
    await Promise.race([once(stdout, "drain", { signal }), once(stdout, "close", { signal })]);
  } finally {
    // The one that has not come would be listened for until the end.
    enough.abort();
  }
}
