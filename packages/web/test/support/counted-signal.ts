/** A real AbortSignal that counts the listeners it has. */

export interface CountedController {
  readonly signal: AbortSignal;
  readonly listeners: number;
  abort(reason?: unknown): void;
}

export function createCountedController(): CountedController {
  const controller = new AbortController();
  const { signal } = controller;
  const listening = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...call: Parameters<typeof add>) => {
    listening.add(call[1]);
    add(...call);
  };
  signal.removeEventListener = (...call: Parameters<typeof remove>) => {
    listening.delete(call[1]);
    remove(...call);
  };
  return {
    signal,
    get listeners() {
      // Those of an aborted signal were called once and are gone.
      return signal.aborted ? 0 : listening.size;
    },
    abort: (reason) => controller.abort(reason),
  };
}
