/** The reason that everything under way is aborted with when the user wants to stop. */

import type { Interrupt } from "./io.ts";

export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly signal: Interrupt;

  constructor(signal: Interrupt) {
    super(`stopped by ${signal}`);
    this.signal = signal;
  }
}
