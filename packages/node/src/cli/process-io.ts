/** The process that runs `wice`, as an {@link Io}. */

import type { Io } from "./io.ts";

export function processIo(): Io {
  return {
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    onInterrupt(listener) {
      process.on("SIGINT", listener).on("SIGTERM", listener);
      // The process is about to end, and a signal that comes late must not make it end otherwise.
      return () => {};
    },
    exit: (code) => process.exit(code),
  };
}
