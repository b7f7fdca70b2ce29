/** Offers and answers one after the other, and what happens meanwhile only after whoever asked for them knows. */

import { onAbort } from "../async/signal.ts";
import { isWiceError, WiceError } from "../errors.ts";

export interface Negotiations {
  /**
   * Runs the work when what came before is done. Rejects with `closed` as soon as the connection is closed, since browsers
   * never settle then, and with `unsupported` for what the implementation throws.
   */
  run<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Tells of something now, or when the present work is done: a candidate is of no use to somebody who does not have its
   * credentials yet.
   */
  tell(event: () => void): void;
}

export function createNegotiations(closing: AbortSignal): Negotiations {
  const held: (() => void)[] = [];
  let working = false;
  let last: Promise<void> = Promise.resolve();

  const perform = async <T>(work: () => Promise<T>, resolve: (result: T) => void, reject: (error: unknown) => void) => {
    if (closing.aborted) return;
    working = true;
    try {
      resolve(await work());
    } catch (error) {
      reject(isWiceError(error) ? error : new WiceError("unsupported", "the WebRTC failed", { cause: error }));
    }
    // Whoever waits for the promise comes first.
    await undefined;
    working = false;
    for (const event of held.splice(0)) if (!closing.aborted) event();
  };

  return {
    run: (work) =>
      new Promise((resolve, reject) => {
        const forget = onAbort(closing, () => reject(closed()));
        last = last.then(() => perform(work, resolve, reject)).finally(forget);
      }),
    tell(event) {
      if (working) held.push(event);
      else if (!closing.aborted) event();
    },
  };
}

export function closed(): WiceError {
  return new WiceError("closed", "the connection is closed");
}
