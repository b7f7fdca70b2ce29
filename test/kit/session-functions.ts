/** What a process with sessions does for its tests, be it a page or a Node process: one peer, and sessions by number. */

export interface SessionFunctions {
  /** Opens the peer of this process. Resolves when it can be called, with its public key. */
  open(options: OpenOptions): Promise<string>;
  /** Resolves with the number of the session. */
  connect(to: string): Promise<number>;
  /** Aborts so much later, unless that was quicker; then the session is closed. */
  connectBriefly(to: string, abortAfterMs: number): Promise<"connected" | "aborted">;
  /** The next session that another has begun. */
  nextIncoming(): Promise<number>;
  send(session: number, text: string): Promise<void>;
  /** Resolves when such a text has come, past ones included. */
  untilHeard(session: number, text: string): Promise<void>;
  heard(session: number): readonly string[];
  /** Sends `"tag 1"`, `"tag 2"`, … from now on, until {@link hush}. */
  talk(session: number, tag: string, everyMs: number): void;
  /** Stops, when what was said is on its way; resolves with how much that was. */
  hush(session: number): Promise<number>;
  report(session: number): SessionReport;
  /** Resolves with the first such change after so many others, past ones included. */
  untilChange(session: number, type: Change["type"], after?: number): Promise<Change>;
  close(session: number): Promise<void>;
  /** Resolves when it is over, whoever has ended it. */
  untilClosed(session: number): Promise<{ readonly cause: string; readonly reason: string; readonly at: number }>;
  explain(to: string): string;
  /** Ends the peer, and not what it is built on. */
  closePeer(): Promise<void>;
  closeBackend(): Promise<void>;
  counts(): Counts;
}

export interface OpenOptions {
  readonly relay: string;
  /** Base64. */
  readonly privateKey?: string;
  /** Instead: a file, where there are files. */
  readonly keyFile?: string;
  /** The implementation of WebRTC. Default: the platform's, and `node-datachannel` where that has none. */
  readonly webrtc?: "node-datachannel" | "werift";
  readonly reconnectMs?: number;
  readonly reconnectIncomingMs?: number;
}

export interface SessionReport {
  readonly state: string;
  readonly role: string;
  readonly instance: string;
  /** Since it began. */
  readonly changes: readonly Change[];
  /** What the peer tells of it. */
  readonly timeline: readonly string[];
}

export interface Change {
  readonly type: "reconnecting" | "connected" | "moved" | "connection" | "closed";
  /** As `Date.now()` counts, which all processes of a machine share. */
  readonly at: number;
}

export interface Counts {
  /** That were given to the relay. */
  readonly envelopes: number;
  readonly connectionsMade: number;
  readonly connectionsOpen: number;
  /** Timers that are set, of everything in the process. */
  readonly timers: number;
  /** Of signals that were given to `connect`, and of what lives as long as the process. */
  readonly listeners: number;
}

/** Calls a function of such a process, as `TestPage` does. */
export interface SessionProcess extends AsyncDisposable {
  call<Name extends keyof SessionFunctions & string>(
    name: Name,
    ...args: Parameters<SessionFunctions[Name]>
  ): Promise<Awaited<ReturnType<SessionFunctions[Name]>>>;
}
