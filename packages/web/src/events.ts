/** Listening to what a platform may not have. */

/** Calls back until the returned function is called. */
export function listen(
  source: Partial<Pick<EventTarget, "addEventListener" | "removeEventListener">> | undefined,
  type: string,
  listener: (event: Event) => void,
): () => void {
  source?.addEventListener?.(type, listener);
  return () => source?.removeEventListener?.(type, listener);
}
