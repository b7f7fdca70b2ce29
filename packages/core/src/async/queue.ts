/** A bounded queue between one producer and one consumer that iterates. */

const done = { done: true, value: undefined } as const;

export interface Queue<T> extends AsyncIterable<T> {
  readonly size: number;
  /** False when the queue is full or has ended: the item was not taken. */
  push(item: T): boolean;
  /** Takes the item in any case; when full, the oldest goes, and false is returned. */
  pushDroppingOldest(item: T): boolean;
  /** The consumer gets what is queued, then the end. Idempotent, and so is {@link Queue.fail}; the first wins. */
  end(): void;
  /** The consumer gets what is queued, then the error. */
  fail(error: unknown): void;
}

/**
 * @param limit items that wait at most
 * @param onEnd called once, as soon as nothing more is taken: ended, failed, or the consumer stopped iterating
 * @param onUnclaimed called with each item that waits when the consumer stops iterating, for items that have to be ended
 */
export function createQueue<T>(
  limit: number,
  onEnd: () => void = () => {},
  onUnclaimed: (item: T) => void = () => {},
): Queue<T> {
  const items: T[] = [];
  const waiting: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }[] = [];
  let ended: { readonly error?: unknown } | undefined;
  /** The error is handed out once; after it, the iteration is over. */
  const takeError = (end: { readonly error?: unknown }): unknown => {
    ended = {};
    return end.error;
  };
  const settle = (end: { readonly error?: unknown }): void => {
    if (ended !== undefined) return;
    ended = end;
    const first = waiting.shift();
    if (first !== undefined) {
      if ("error" in end) first.reject(takeError(end));
      else first.resolve(done);
      for (const { resolve } of waiting.splice(0)) resolve(done);
    }
    onEnd();
  };
  const hand = (item: T): boolean => {
    const first = waiting.shift();
    first?.resolve({ done: false, value: item });
    return first !== undefined;
  };

  const iterator: AsyncIterator<T> = {
    next() {
      const item = items.shift();
      if (item !== undefined) return Promise.resolve({ done: false, value: item });
      if (ended !== undefined) return "error" in ended ? Promise.reject(takeError(ended)) : Promise.resolve(done);
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
      });
    },
    return() {
      if (ended !== undefined) ended = {};
      settle({});
      for (const item of items.splice(0)) onUnclaimed(item);
      return Promise.resolve(done);
    },
  };

  return {
    get size() {
      return items.length;
    },
    push(item) {
      if (ended !== undefined) return false;
      if (hand(item)) return true;
      if (items.length >= limit) return false;
      items.push(item);
      return true;
    },
    pushDroppingOldest(item) {
      if (ended !== undefined) return false;
      if (hand(item)) return true;
      items.push(item);
      if (items.length <= limit) return true;
      items.shift();
      return false;
    },
    end: () => settle({}),
    fail: (error) => settle({ error }),
    [Symbol.asyncIterator]: () => iterator,
  };
}
