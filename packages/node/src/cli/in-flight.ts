/** Tasks that run side by side, up to a limit, started in order. The first failure stops the rest from starting. */

export interface InFlight {
  /** Starts the task when there is room. Once one has failed, it starts nothing, and rejects with that failure. */
  start(task: () => Promise<void>): Promise<void>;
  /** As if a task had failed. */
  fail(error: unknown): void;
  /** Resolves when everything that was started has ended: with the earliest failure in the order of starting, if any. */
  settled(): Promise<unknown>;
}

/** @param onFailure called once, with the first failure in time */
export function createInFlight(limit: number, onFailure: (error: unknown) => void): InFlight {
  const running = new Set<Promise<void>>();
  const failures = new Map<number, unknown>();
  let started = 0;

  const fail = (order: number, error: unknown): void => {
    const first = failures.size === 0;
    failures.set(order, error);
    if (first) onFailure(error);
  };
  const earliest = (): unknown => {
    const [order] = [...failures.keys()].sort((a, b) => a - b);
    return order === undefined ? undefined : failures.get(order);
  };

  return {
    async start(task) {
      while (running.size >= limit && failures.size === 0) await Promise.race(running);
      if (failures.size > 0) throw earliest();
      const order = started++;
      const run: Promise<void> = task()
        .catch((error: unknown) => fail(order, error))
        .finally(() => running.delete(run));
      running.add(run);
    },
    fail(error) {
      if (![...failures.values()].includes(error)) fail(Number.POSITIVE_INFINITY, error);
    },
    async settled() {
      while (running.size > 0) await Promise.all(running);
      return earliest();
    },
  };
}
