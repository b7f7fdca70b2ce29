/** What is told on stderr while a session comes to be, and later: what it waits for, to people; everything, to programs. */

import {
  isWiceError,
  type Peer,
  type PeerStatus,
  type PublicKey,
  type SessionEnd,
  type Verdict,
  type VerdictCode,
} from "@wice/core";
import { errorLines } from "./error-text.ts";
import { Interrupted } from "./interrupted.ts";
import { type Output, OutputClosed } from "./output.ts";
import { UsageError } from "./usage-error.ts";

/** What passes in a moment is not worth a line. */
const settledMs = 1_500;
/** Callers that are spoken of, at most: anybody may call who is let in. */
const maxPeers = 64;

/** What to do, in the words of the command line. */
const advice: Partial<Record<VerdictCode, string>> = {
  "no-common-agent": "name the same --agent on both sides, or none; and --udp on both, or on neither",
};

export interface ProgressOptions {
  /** The peer that it is all about. Without it, lines name whom they are about. */
  readonly key?: PublicKey;
  /** Every event and every change of the verdict, as a line of JSON each. */
  readonly json: boolean;
}

export interface EndOptions {
  readonly json: boolean;
  /** What is done about it, where that is not the end. */
  readonly next?: string;
}

/** Resolves when the peer is closed. */
export async function reportProgress(peer: Peer, notes: Output, { key, json }: ProgressOptions): Promise<void> {
  const report = json ? createJsonReport(notes) : createReport(notes, key);
  try {
    for await (const status of peer.status()) {
      await report.onStatus(status);
      const about = key ?? ("key" in status ? status.key : undefined);
      if (about !== undefined) await report.onVerdict(about, peer.explain(about));
    }
  } finally {
    report.stop();
  }
}

/** How the session ended, unless it was us who ended it. */
export async function reportEnd(
  { cause, reason }: SessionEnd,
  notes: Output,
  { json, next }: EndOptions,
): Promise<void> {
  // It is among the events already; and what is lost is the error that the command ends with, if it does end.
  if (json || cause === "closed" || (cause === "lost" && next === undefined)) return;
  const why = cause === "other-instance" ? "the peer goes on with another process that has our key" : reason;
  const what = cause === "lost" ? "the session is lost" : "the peer has closed the session";
  const outlook = next === undefined ? "" : `; ${next}`;
  await notes.line(notes.style.dim(`${what}${why === "" ? "" : ` (${why})`}${outlook}`));
}

/** Tells of callers that are not let in, of each once. */
export function reportDeclined(notes: Output, json: boolean): (key: PublicKey, why: string) => void {
  const told = new Set<string>();
  return (key, why) => {
    const name = key.toString();
    if (told.has(name) || told.size >= maxPeers) return;
    told.add(name);
    void notes.line(
      json ? JSON.stringify({ type: "declined", key, text: why }) : notes.style.dim(`${name} is declined: ${why}`),
    );
  };
}

/** An error as a line of JSON, for those who read nothing else. Throws what is no failure of the session. */
export async function reportFailure(error: unknown, notes: Output): Promise<void> {
  if (error instanceof UsageError || error instanceof OutputClosed || error instanceof Interrupted) throw error;
  const [text] = errorLines(error, {});
  await notes.line(JSON.stringify({ type: "error", code: isWiceError(error) ? error.code : "internal", text }));
}

interface Report {
  onStatus(status: PeerStatus): Promise<void>;
  onVerdict(about: PublicKey, verdict: Verdict): Promise<void>;
  stop(): void;
}

function createJsonReport(notes: Output): Report {
  const said = new Map<string, string>();
  return {
    async onStatus(status) {
      const { type, ...rest } = status;
      const plain = "error" in rest ? { code: rest.error.code, text: rest.error.message } : rest;
      await notes.line(JSON.stringify({ type, ...plain }));
    },
    async onVerdict(key, verdict) {
      const line = JSON.stringify({ type: "verdict", key, ...verdict });
      const name = key.toString();
      if (line === said.get(name)) return;
      if (said.size >= maxPeers) said.clear();
      said.set(name, line);
      await notes.line(line);
    },
    stop() {},
  };
}

function createReport(notes: Output, only: PublicKey | undefined): Report {
  const { dim, green, yellow } = notes.style;
  const relay = createSpeaker(notes);
  const speakers = new Map<string, Speaker>();

  const speakerOf = (key: PublicKey): Speaker | undefined => {
    const name = key.toString();
    const found = speakers.get(name);
    if (found !== undefined || speakers.size >= maxPeers) return found;
    const made = createSpeaker(notes);
    speakers.set(name, made);
    return made;
  };

  return {
    async onStatus(status) {
      // Whoever waits for one peer is told by the verdict.
      if (only !== undefined || status.type === "peer") return;
      if (status.type === "deaf") relay.say(yellow(`waiting for the relay: ${status.error.message}`));
      else await relay.relieve(dim("the relay is there again"));
    },
    async onVerdict(about, { code, text, next }) {
      const speaker = speakerOf(about);
      const whom = only === undefined ? `${about}: ` : "";
      // The command itself says that it is connected, and how it ends.
      if (code === "connected") await speaker?.relieve(green(`${whom}connected again`), "reconnecting");
      else if (code === "idle" || code === "closed" || (code === "closed-by-peer" && only !== undefined))
        speaker?.hush();
      // A caller that has given up.
      else if (code === "closed-by-peer") await speaker?.relieve(dim(`${whom}${text}`));
      else speaker?.say(`${whom}${yellow(text)} ${dim(`(${advice[code] ?? next})`)}`, code);
    },
    stop() {
      for (const speaker of [relay, ...speakers.values()]) speaker.hush();
    },
  };
}

/** Says what lasts, and nothing twice. */
interface Speaker {
  /** After a moment, unless something else is said before. */
  say(line: string, about?: string): void;
  /** At once, if something was said that is over now; `about`: only if it was about that. */
  relieve(line: string, about?: string): Promise<void>;
  hush(): void;
}

function createSpeaker(notes: Output): Speaker {
  let said: { readonly line: string; readonly about: string } | undefined;
  let next = "";
  let timer: NodeJS.Timeout | undefined;
  const hush = (): void => {
    clearTimeout(timer);
    next = "";
  };
  return {
    hush,
    say(line, about = "") {
      if (line === next) return;
      hush();
      if (line === said?.line) return;
      next = line;
      timer = setTimeout(() => {
        next = "";
        said = { line, about };
        void notes.line(line);
      }, settledMs);
    },
    async relieve(line, about) {
      hush();
      const before = said;
      said = undefined;
      if (before !== undefined && (about ?? before.about) === before.about) await notes.line(line);
    },
  };
}
