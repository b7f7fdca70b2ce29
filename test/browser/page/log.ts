/** What happened, in order, and those who wait for it to happen. */

export interface Log<Entry> {
  readonly all: readonly Entry[];
  add(entry: Entry): void;
  /** Resolves with the first that matches, past ones included. */
  until(matches: (entry: Entry) => boolean): Promise<Entry>;
}

export function createLog<Entry>(): Log<Entry> {
  const all: Entry[] = [];
  const waiting = new Set<(entry: Entry) => void>();
  return {
    all,
    add(entry) {
      all.push(entry);
      for (const look of [...waiting]) look(entry);
    },
    until(matches) {
      const found = all.find(matches);
      if (found !== undefined) return Promise.resolve(found);
      return new Promise((resolve) => {
        const look = (entry: Entry): void => {
          if (!matches(entry)) return;
          waiting.delete(look);
          resolve(entry);
        };
        waiting.add(look);
      });
    },
  };
}
