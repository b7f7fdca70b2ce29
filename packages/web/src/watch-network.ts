/** When a page's paths to its peers may be gone, or better ones there: for the `watchNetwork` of `createPeer`. */

import { type Clock, systemClock, type Timer } from "@wice/core";
import { watchSleep } from "./connect/sleep.ts";
import { listen } from "./events.ts";

/** One change is told by several events, which come one after another. */
const settleMs = 250;

/** Phones put a page to sleep that nobody looks at, and some do not say so. */
const hiddenMs = 10_000;

/** Network Information API, which not all browsers have. */
type Connection = EventTarget & { readonly type?: string };

/**
 * Calls back when the network may have changed, until the returned function is called: it is back, the page wakes up or comes
 * back out of the browser's history, somebody looks at it again, or a phone goes from one network to another. Not when the
 * network goes away: there is no other path to look for until it is back.
 */
export function watchNetwork(onChange: () => void, { clock = systemClock }: { clock?: Clock } = {}): () => void {
  const { document, navigator } = globalThis as {
    document?: EventTarget & { readonly visibilityState: string };
    navigator?: { readonly connection?: Connection };
  };
  const connection = navigator?.connection;
  let timer: Timer | undefined;
  let hiddenSince = document?.visibilityState === "hidden" ? Date.now() : undefined;
  let network = connection?.type;

  const changed = (): void => {
    timer ??= clock.schedule(settleMs, () => {
      timer = undefined;
      onChange();
    });
  };
  const stops = [
    watchSleep({ onSleep() {}, onWake: changed }),
    listen(document, "visibilitychange", () => {
      // Not by the clock for timers, which may stand still with the page.
      const now = Date.now();
      if (document?.visibilityState === "hidden") hiddenSince ??= now;
      else {
        if (hiddenSince !== undefined && now - hiddenSince >= hiddenMs) changed();
        hiddenSince = undefined;
      }
    }),
    listen(connection, "change", () => {
      // Estimates of the speed change every few seconds, and come by the same event.
      if (connection?.type !== network) changed();
      network = connection?.type;
    }),
  ];
  return () => {
    timer?.cancel();
    for (const stop of stops) stop();
  };
}
