/** What goes on for a moment after the end of something: a message, a connection that lets its last words leave. */

export interface Partings {
  add(parting: Promise<unknown>): void;
  /** Resolves when all that there are now are over. Never rejects. */
  over(): Promise<void>;
}

export function createPartings(): Partings {
  const going = new Set<Promise<unknown>>();
  return {
    add(parting) {
      const settled: Promise<unknown> = parting.catch(() => {}).then(() => going.delete(settled));
      going.add(settled);
    },
    async over() {
      await Promise.all(going);
    },
  };
}
