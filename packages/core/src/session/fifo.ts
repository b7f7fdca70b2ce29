/** First in, first out, also where very many wait: `Array.prototype.shift` moves all that are left. */

export interface Fifo<T> {
  readonly size: number;
  /** The first is 0. */
  at(index: number): T | undefined;
  push(item: T): void;
  shift(): T | undefined;
  /** Takes one out from anywhere; false if it is not there. */
  remove(item: T): boolean;
}

/** How many places of those that have gone are kept at least. */
const keptPlaces = 1_024;

export function createFifo<T>(): Fifo<T> {
  let items: (T | undefined)[] = [];
  let head = 0;

  return {
    get size() {
      return items.length - head;
    },
    at: (index) => items[head + index],
    push: (item) => void items.push(item),
    shift() {
      const item = items[head];
      if (head === items.length) return undefined;
      items[head] = undefined;
      head += 1;
      if (head >= keptPlaces && 2 * head >= items.length) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
    remove(item) {
      const index = items.indexOf(item, head);
      if (index >= 0) items.splice(index, 1);
      return index >= 0;
    },
  };
}
