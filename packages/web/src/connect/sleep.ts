/** When a page is put to sleep, and when its connections may be gone without anybody having said so. */

import { listen } from "../events.ts";

export interface SleepHandlers {
  /** The page is about to be frozen, or to be kept for when the user goes back to it. It runs no timers until it wakes. */
  onSleep(): void;
  /** The page goes on after that, or the network has come back. */
  onWake(): void;
}

/** Returns what stops the watching. */
export function watchSleep({ onSleep, onWake }: SleepHandlers): () => void {
  // A window's or a worker's.
  const scope: Partial<EventTarget> = globalThis;
  const { document } = globalThis as { document?: EventTarget };
  const stops = [
    listen(document, "freeze", onSleep),
    // Other engines than Chromium freeze what they keep without saying so.
    listen(scope, "pagehide", (event) => wasKept(event) && onSleep()),
    // A page that is shown for the first time has nothing to lose.
    listen(scope, "pageshow", (event) => wasKept(event) && onWake()),
    listen(scope, "online", onWake),
    listen(document, "resume", onWake),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function wasKept(event: Event): boolean {
  return (event as Partial<PageTransitionEvent>).persisted === true;
}
