/** What the command line knows of the world, as one argument: a process in earnest, buffers in a test. */

import type { Readable, Writable } from "node:stream";

export interface Io {
  /** Made only when a command reads it: opening stdin already has effects. */
  readonly stdin: Input;
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Calls the listener for every SIGINT and SIGTERM, in place of ending the process; returns what stops that. */
  onInterrupt(listener: (signal: Interrupt) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

export type Interrupt = "SIGINT" | "SIGTERM";

/** A stream that may be a terminal. */
export type Terminal = Writable & { readonly isTTY?: boolean };

export type Input = Readable & {
  readonly isTTY?: boolean;
  /** Present on terminals: whether keys arrive one by one and are not echoed. */
  setRawMode?(on: boolean): unknown;
};
