/** What has happened to a session, in order, for those who want to know why it is not connected. */

/** Of more, the oldest are dropped. */
const limit = 256;

export interface TimelineEntry {
  /** When, by the peer's clock, in milliseconds. */
  readonly atMs: number;
  readonly event: TimelineEvent;
  /** In words; holds no key, credential or content. */
  readonly text: string;
}

export type TimelineEvent =
  /** A message of ours has left, over the backend or in-band. */
  | "sent"
  /** A message of the peer's came. */
  | "heard"
  /** The backend could not take a message, or has lost its subscription; it tries again. */
  | "backend"
  /** A connection was made, or given up. */
  | "connection"
  | "offer"
  | "answer"
  | "candidate"
  /** A STUN or TURN server does not do what it should. */
  | "server"
  | "connected"
  | "lost"
  | "recovered"
  | "moved"
  | "refused"
  | "ended";

export interface Timeline {
  add(entry: TimelineEntry): void;
  entries(): readonly TimelineEntry[];
}

export function createTimeline(): Timeline {
  const entries: TimelineEntry[] = [];
  return {
    add(entry) {
      entries.push(entry);
      if (entries.length > limit) entries.shift();
    },
    entries: () => [...entries],
  };
}
