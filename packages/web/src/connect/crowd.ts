/**
 * Counts the tabs of this origin that have a stream of the same relay, where they cannot share one (no Web Locks: plain
 * HTTP on an address that is not local). A browser has six connections to a host over HTTP/1.1; when streams take all
 * of them, nothing can be published any more, and every tab hangs.
 */

import { type Clock, WiceError } from "@wice/core";

export interface Crowd {
  /**
   * Resolves when there is room for our stream; rejects with `resource-exhausted`, retryable. Whoever enters has to leave,
   * also when refused.
   */
  enter(): Promise<void>;
  leave(): void;
}

/** Of six, one stays free for what is published, and one for the page's own files or a stream that is being replaced. */
const mostStreams = 4;

/** How long tabs have to answer. It is an event in each, which browsers do not delay in background tabs. */
const answerMs = 150;

type Word =
  | { readonly type: "who"; readonly asker: number }
  | { readonly type: "i"; readonly to: number; readonly from: number };

/** This tab among the others, from its first subscription to the end of its last. */
interface Place {
  readonly channel: BroadcastChannel;
  readonly entered: Promise<void>;
  /** Ends the wait for answers. */
  settle(): void;
}

export function createCrowd(name: string, clock: Clock): Crowd {
  // Only browsers have the limit, pages and workers alike, and these have a location.
  if (globalThis.location === undefined || typeof BroadcastChannel !== "function")
    return { enter: async () => {}, leave() {} };
  let users = 0;
  let place: Place | undefined;

  const take = (): Place => {
    const me = Math.random();
    const channel = new BroadcastChannel(name);
    const others = new Set<number>();
    let asking = true;
    channel.onmessage = ({ data }: MessageEvent<Word>) => {
      if (data.type === "i") {
        if (data.to === me) others.add(data.from);
      } else if (!asking || me < data.asker) {
        channel.postMessage({ type: "i", to: data.asker, from: me } satisfies Word);
      } else {
        // Of those that ask at the same time, the smaller number goes first, or all would be refused.
        others.add(data.asker);
      }
    };
    channel.postMessage({ type: "who", asker: me } satisfies Word);
    let settle = (): void => {};
    const answers = new Promise<void>((resolve) => {
      const timer = clock.schedule(answerMs, resolve);
      settle = () => {
        timer.cancel();
        resolve();
      };
    });
    const entered = answers.then(() => {
      asking = false;
      if (others.size < mostStreams) return;
      channel.close();
      if (place?.channel === channel) place = undefined;
      throw new WiceError(
        "resource-exhausted",
        `${others.size} other tabs use this relay already, and over plain HTTP a browser has no connection left; close some, or use https`,
        { retryable: true, retryAfterMs: 5_000 },
      );
    });
    return { channel, entered, settle };
  };

  return {
    enter() {
      users += 1;
      place ??= take();
      return place.entered;
    },
    leave() {
      users -= 1;
      if (users > 0 || place === undefined) return;
      place.channel.close();
      place.settle();
      place = undefined;
    },
  };
}
