/** What has happened between two peers, in order, for those who want to know why they are not connected. */

import type { Candidate } from "../agent/candidate.ts";
import type { Description } from "./description.ts";

/** Of more, the oldest are dropped. */
const limit = 256;
/** Servers have a say in some texts, which may end in a terminal. */
const maxTextLength = 400;

export interface TimelineEntry {
  /** When, by the peer's clock, in milliseconds. */
  readonly atMs: number;
  readonly event: TimelineEvent;
  /** In words; holds no key, credential or content. */
  readonly text: string;
  /** How often it happened in a row, if more than once, and when for the last time. */
  readonly times?: number;
  readonly lastAtMs?: number;
}

export type TimelineEvent =
  /** The application waits for a session, or does not any more. */
  | "wanted"
  /** A message of ours has left, over the backend or in-band. */
  | "sent"
  /** A message of the peer's came. */
  | "heard"
  /** The backend could not take a message, or has lost its subscription, and tries again; or it works again. */
  | "backend"
  /** A connection was made, has changed its state, or could not go on. */
  | "connection"
  /** A STUN or TURN server does not do what it should. */
  | "server"
  | "connected"
  | "lost"
  | "recovered"
  | "moved"
  | "refused"
  | "ended";

export interface Timeline {
  /** Returns the entry as it is kept. What only repeats the one before is counted there. */
  add(entry: TimelineEntry): TimelineEntry;
  entries(): readonly TimelineEntry[];
}

export function createTimeline(): Timeline {
  const entries: TimelineEntry[] = [];
  return {
    add({ text, ...given }) {
      const entry = { ...given, text: text.slice(0, maxTextLength).replace(/\p{Cc}/gu, " ") };
      const last = entries.at(-1);
      if (last?.event === entry.event && last.text === entry.text) {
        entries[entries.length - 1] = { ...last, times: (last.times ?? 1) + 1, lastAtMs: entry.atMs };
      } else {
        entries.push(entry);
        if (entries.length > limit) entries.shift();
      }
      return entry;
    },
    entries: () => [...entries],
  };
}

/** A description in a few words, without what it holds. */
export function describeInWords({ kind, epoch, candidates, close }: Description): string {
  if (close !== undefined) return `an end (${close.cause})`;
  if (candidates.length === 0) return `${kind} ${epoch} without candidates`;
  const types = new Map<Candidate["type"], number>();
  for (const { type } of candidates) types.set(type, (types.get(type) ?? 0) + 1);
  return `${kind} ${epoch} with candidates: ${[...types].map(([type, count]) => `${count} ${type}`).join(", ")}`;
}
