/** Counts what a page has going on, by standing in for the platform's functions. */

import { countListeners, type ListenedTo } from "../../kit/session-peer.ts";

/** How many envelopes were given to a relay. */
export function countPublishes(): () => number {
  let count = 0;
  const { fetch } = globalThis;
  globalThis.fetch = (input, init) => {
    if (/\/Publish$/.test(input instanceof Request ? input.url : String(input))) count += 1;
    return fetch(input, init);
  };
  return () => count;
}

/** How many timers are set. */
export function countTimers(): () => number {
  const set = new Set<number>();
  const { setTimeout, setInterval, clearTimeout } = globalThis;
  globalThis.setTimeout = ((callback: () => void, delayMs?: number) => {
    const timer = setTimeout(() => {
      set.delete(timer);
      callback();
    }, delayMs);
    set.add(timer);
    return timer;
  }) as typeof setTimeout;
  globalThis.setInterval = ((callback: () => void, delayMs?: number) => {
    const timer = setInterval(callback, delayMs);
    set.add(timer);
    return timer;
  }) as typeof setInterval;
  const clear = (timer: number | undefined): void => {
    if (timer !== undefined) set.delete(timer);
    // One call ends both kinds.
    clearTimeout(timer);
  };
  globalThis.clearTimeout = clear;
  globalThis.clearInterval = clear;
  return () => set.size;
}

/** How many listeners are on what lives as long as the page. */
export function countWindowListeners(): () => number {
  let count = 0;
  for (const target of [window, document])
    countListeners(target as unknown as ListenedTo, (change) => {
      count += change;
    });
  return () => count;
}
