/** How `wice` ends. Scripts rely on these numbers; `wice --help` and the README list them. */

import type { Interrupt } from "./io.ts";

export const exitCode = {
  /** Done, or the reader of the output has gone. */
  ok: 0,
  /** It was understood, and did not work. */
  failed: 1,
  /** The command line is wrong; nothing was tried. */
  usage: 2,
} as const;

/** As shells count them: 128 and the number of the signal. */
export function interruptCode(signal: Interrupt): number {
  return signal === "SIGINT" ? 130 : 143;
}
