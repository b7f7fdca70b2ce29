/** Waiting that can be aborted and leaves no listener behind. */

import type { Clock } from "./clock.ts";

/** Runs `listener` once when the signal aborts, at once when it has; returns what removes it. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => {};
  if (signal.aborted) {
    listener();
    return () => {};
  }
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

/** The promise, or a rejection with the signal's reason as soon as it aborts. What the promise does later is ignored. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const remove = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(remove);
  });
}

/** Resolves after `delayMs`; rejects with the signal's reason. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.schedule(delayMs, () => {
      remove();
      resolve();
    });
    const remove = onAbort(signal, () => {
      timer.cancel();
      reject(signal?.reason);
    });
  });
}
