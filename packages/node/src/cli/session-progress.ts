/** What a person is told while a session comes to be, and later. */

import type { Peer, PublicKey } from "@wice/core";
import type { Output } from "./output.ts";

/** What passes in a moment is not worth a line. */
const settledMs = 1_500;

/** Resolves when the peer is closed. Says what is waited for whenever that changes; with `json`, every event. */
export async function reportProgress(
  peer: Peer,
  key: PublicKey | undefined,
  notes: Output,
  json: boolean,
): Promise<void> {
  const { dim, yellow } = notes.style;
  let said = "";
  let timer: NodeJS.Timeout | undefined;
  const say = (name: string, line: string): void => {
    clearTimeout(timer);
    if (name === said) return;
    timer = setTimeout(() => {
      said = name;
      void notes.line(line);
    }, settledMs);
  };
  try {
    for await (const status of peer.status()) {
      if (json) await notes.line(JSON.stringify(plain(status)));
      else if (key !== undefined) {
        const { code, text, next } = peer.explain(key);
        say(code, ["connected", "idle", "closed"].includes(code) ? dim(text) : `${yellow(text)} ${dim(`(${next})`)}`);
      } else if (status.type === "deaf")
        say(status.error.message, yellow(`waiting for the relay: ${status.error.message}`));
      else if (status.type === "listening") say("", dim("the relay is there"));
    }
  } finally {
    clearTimeout(timer);
  }
}

function plain(status: object): object {
  return "error" in status && status.error instanceof Error ? { ...status, error: status.error.message } : status;
}
