/** The process that runs `wice`, as an {@link Io}. */

import type { Io } from "./io.ts";

export function processIo(): Io {
  return {
    get stdin() {
      return process.stdin;
    },
    stdout: withoutBlocking(process.stdout),
    stderr: process.stderr,
    env: process.env,
    onInterrupt(listener) {
      process.on("SIGINT", listener).on("SIGTERM", listener);
      return () => process.off("SIGINT", listener).off("SIGTERM", listener);
    },
    exit: (code) => process.exit(code),
  };
}

/**
 * Node writes to pipes synchronously: a reader that stops reading would stop the whole process, so that it answers no
 * ping of the relay and no Ctrl-C. There is no public switch for it; where this one goes, only that is lost.
 */
function withoutBlocking(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  const { _handle: handle } = stream as { _handle?: { setBlocking?(on: boolean): unknown } };
  if (stream.isTTY !== true) handle?.setBlocking?.(false);
  return stream;
}
