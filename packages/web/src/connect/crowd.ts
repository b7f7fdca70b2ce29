/**
 * Counts the tabs of this origin that have a stream of the same relay, where they cannot share one (no Web Locks: plain
 * HTTP on an address that is not local). A browser has six connections to a host over HTTP/1.1; when streams take all
 * of them, nothing can be published any more, and every tab hangs.
 */

import { type Clock, WiceError } from "@wice/core";

export interface Crowd {
  /** Resolves when there is room for one more stream; rejects with `resource-exhausted`, retryable. */
  enter(): Promise<void>;
  /** The stream is gone. */
  leave(): void;
}

/** Of six, one stays free for what is published, and one for the page's own files or a stream that is being replaced. */
const mostStreams = 4;

/** How long tabs have to answer. It is an event in each, which browsers do not delay in background tabs. */
const answerMs = 150;

type Word = { readonly type: "who"; readonly asker: number } | { readonly type: "i"; readonly to: number };

export function createCrowd(name: string, clock: Clock): Crowd {
  // Only browsers have the limit, pages and workers alike, and these have a location.
  if (globalThis.location === undefined || typeof BroadcastChannel !== "function")
    return { enter: async () => {}, leave() {} };
  let channel: BroadcastChannel | undefined;
  let entered: Promise<void> | undefined;

  const leave = (): void => {
    channel?.close();
    channel = undefined;
    entered = undefined;
  };
  const ask = async (): Promise<void> => {
    const me = Math.random();
    let others = 0;
    const mine = new BroadcastChannel(name);
    channel = mine;
    mine.onmessage = ({ data }: MessageEvent<Word>) => {
      if (data.type === "i" && data.to === me) others += 1;
      else if (data.type === "who") mine.postMessage({ type: "i", to: data.asker } satisfies Word);
    };
    mine.postMessage({ type: "who", asker: me } satisfies Word);
    await new Promise<void>((resolve) => void clock.schedule(answerMs, resolve));
    if (others < mostStreams || channel !== mine) return;
    leave();
    throw new WiceError(
      "resource-exhausted",
      `${others} other tabs use this relay already, and over plain HTTP a browser has no connection left; close some, or use https`,
      { retryable: true, retryAfterMs: 5_000 },
    );
  };

  return {
    enter() {
      entered ??= ask();
      return entered;
    },
    leave,
  };
}
