/** Databases of keys in memory, as several tabs would share one. */

import type { KeyDatabase, KeyRecord } from "../../src/keys/database.ts";

export interface FakeDatabase {
  readonly records: Map<string, KeyRecord>;
  /** Rejects every call from now on with this. */
  failure: unknown;
  /** Called before each `add`, after whoever adds has seen that there is none. */
  beforeAdd: () => Promise<void> | void;
  /** How many tabs closed theirs. */
  closed: number;
  /** One tab's. */
  open(): KeyDatabase;
}

export function createFakeDatabase(): FakeDatabase {
  const records = new Map<string, KeyRecord>();
  const fake: FakeDatabase = {
    records,
    failure: undefined,
    beforeAdd() {},
    closed: 0,
    open: () => ({
      async get(name) {
        check();
        return records.get(name);
      },
      async add(record) {
        check();
        await fake.beforeAdd();
        if (records.has(record.name)) return false;
        // As the browser's own copies do.
        records.set(record.name, structuredClone(record));
        return true;
      },
      async all() {
        check();
        return [...records.values()];
      },
      async delete(name) {
        check();
        records.delete(name);
      },
      close() {
        fake.closed += 1;
      },
    }),
  };
  const check = (): void => {
    if (fake.failure !== undefined) throw fake.failure;
  };
  return fake;
}
