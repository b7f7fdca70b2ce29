/** A queue whose producers wait while it is full: the application's pace holds the medium back, and not the memory. */

import { createQueue } from "../async/queue.ts";

export interface FedQueue<T> extends AsyncIterable<T> {
  /** Resolves once there was room; false when the queue has ended. */
  put(item: T): Promise<boolean>;
  /** The consumer gets what is queued, then the end. Idempotent, and so is {@link FedQueue.fail}; the first wins. */
  end(): void;
  /** The consumer gets what is queued, then the error. */
  fail(error: unknown): void;
}

/**
 * @param limit items that wait at most
 * @param onEnd called once, as soon as nothing more is taken: ended, failed, or the consumer stopped iterating
 */
export function createFedQueue<T>(limit: number, onEnd: () => void = () => {}): FedQueue<T> {
  const waiting: (() => void)[] = [];
  let ended = false;
  const queue = createQueue<T>(limit, () => {
    ended = true;
    for (const wake of waiting.splice(0)) wake();
    onEnd();
  });
  const iterator = queue[Symbol.asyncIterator]();
  const fed: AsyncIterator<T> = {
    next() {
      const next = iterator.next();
      waiting.shift()?.();
      return next;
    },
    return: () => iterator.return?.() ?? Promise.resolve({ done: true, value: undefined }),
  };
  return {
    async put(item) {
      while (!queue.push(item)) {
        if (ended) return false;
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      }
      return true;
    },
    end: () => queue.end(),
    fail: (error) => queue.fail(error),
    [Symbol.asyncIterator]: () => fed,
  };
}
