/** When a page's connections may be gone without anybody having said so. */

/** The part of a window or a worker's scope that tells of it. */
type Source = Pick<EventTarget, "addEventListener" | "removeEventListener">;

/**
 * Calls back when the network has come back, when a frozen page goes on, and when a page returns from the back/forward
 * cache. Returns what stops that.
 */
export function watchWake(onWake: () => void): () => void {
  const scope = globalThis as unknown as Partial<Source>;
  const document = (globalThis as { document?: Source }).document;
  const stops = [
    // A page that is shown for the first time has nothing to lose.
    listen(scope, "pageshow", (event) => (event as Partial<PageTransitionEvent>).persisted === true && onWake()),
    listen(scope, "online", onWake),
    listen(document, "resume", onWake),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function listen(source: Partial<Source> | undefined, type: string, listener: (event: Event) => void): () => void {
  source?.addEventListener?.(type, listener);
  return () => source?.removeEventListener?.(type, listener);
}
