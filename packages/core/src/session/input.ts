/** What the state machines of a session get from outside with every event: time and chance. */

export interface Input {
  /** Milliseconds, monotonic. */
  readonly nowMs: number;
  /** From 0 to below 1, evenly. */
  readonly jitter: number;
  /** Session ids that were never used. */
  readonly freshId: string;
  readonly secondId: string;
}
