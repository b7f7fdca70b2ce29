/** Where another language of signaling joins the state machine of a remote key: cunīcu's, which agents may bring along. */

import type { Candidate } from "../agent/candidate.ts";
import type { Message } from "../message.ts";
import type { AttemptStep } from "./attempt.ts";
import type { Attempt, AttemptContext, AttemptEvent } from "./attempt-state.ts";
import type { Input } from "./input.ts";
import type { Peering, Scene, Welcome } from "./peering-state.ts";

export interface Dialect {
  /** Undefined for what no daemon says. */
  read(message: Message): DaemonSaid | undefined;
  /** A daemon has said something. */
  take(scene: Scene, said: DaemonSaid, welcome: Welcome): void;
  /** After each event: begins attempts that are due, and renews those that get nowhere. */
  review(scene: Scene): void;
  /** When {@link Dialect.review} has something to do, though nothing happens. */
  deadline(peering: Peering): number;
  /** An event of an attempt with a daemon. */
  stepAttempt(attempt: Attempt, event: AttemptEvent, context: AttemptContext, input: Input): AttemptStep;
  attemptDeadline(attempt: Attempt): number;
}

/** What one message of a daemon's holds. */
export interface DaemonSaid {
  readonly credentials: DaemonCredentials | undefined;
  readonly candidate: Candidate | undefined;
}

export interface DaemonCredentials {
  readonly ufrag: string;
  readonly pwd: string;
  /** The sender has none of the recipient's. */
  readonly needCredentials: boolean;
}

/** Daemons have no instances: all that hold a key are one. */
export const daemonInstance: string = "0".repeat(32);

/** What an attempt with a daemon has beside what all attempts have. */
export interface DaemonState {
  /** The daemon has sent credentials or a candidate. */
  readonly heard: boolean;
  /** Candidates of the daemon's. */
  readonly candidates: readonly Candidate[];
  /** Its credentials were given to our agent, which can take no others any more. */
  readonly used: boolean;
  /** Since when nothing comes of what both sides have said: both credentials, or candidates of the daemon's alone. */
  readonly idleSinceMs: number | undefined;
  /** It cannot go on: others have to be made. */
  readonly spent: boolean;
}
