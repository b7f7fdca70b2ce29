/** As much of an IndexedDB as a key store uses, with the faults that a real one has seldom. */

import { stubGlobal } from "./globals.ts";

export interface FakeIndexedDb {
  readonly rows: Map<string, { readonly name: string }>;
  /** Databases that are open, and how many ever were. */
  open: number;
  opened: number;
  /** What becomes of a change that succeeded when it is written to the disk. */
  commitError: DOMException | undefined;
  /** What becomes of opening. */
  openError: DOMException | undefined;
  /** Errors of requests that a page would have reported as its own. */
  unhandled: number;
}

type Handler = ((event: { preventDefault(): void }) => void) | null;

interface FakeRequest {
  result: unknown;
  error: unknown;
  onsuccess: Handler;
  onerror: Handler;
  onupgradeneeded: Handler;
}

/** Until the end of the test. */
export function stubIndexedDb(): FakeIndexedDb {
  const fake: FakeIndexedDb = {
    rows: new Map(),
    open: 0,
    opened: 0,
    commitError: undefined,
    openError: undefined,
    unhandled: 0,
  };

  const request = (work: () => unknown): FakeRequest => {
    const made: FakeRequest = { result: undefined, error: null, onsuccess: null, onerror: null, onupgradeneeded: null };
    setImmediate(() => {
      let handled = false;
      const event = {
        preventDefault() {
          handled = true;
        },
      };
      try {
        made.result = work();
        made.onupgradeneeded?.(event);
        made.onsuccess?.(event);
      } catch (error) {
        made.error = error;
        made.onerror?.(event);
        if (!handled) fake.unhandled += 1;
      }
    });
    return made;
  };

  const transaction = () => {
    const made = {
      error: null as DOMException | null,
      oncomplete: null as (() => void) | null,
      onabort: null as (() => void) | null,
      objectStore: () => ({
        get: (name: string) => request(() => fake.rows.get(name)),
        getAll: () => request(() => [...fake.rows.values()]),
        add: (row: { readonly name: string }) =>
          request(() => {
            if (fake.rows.has(row.name)) throw new DOMException("it exists", "ConstraintError");
            if (fake.commitError === undefined) fake.rows.set(row.name, row);
          }),
        delete: (name: string) =>
          request(() => {
            if (fake.commitError === undefined) fake.rows.delete(name);
          }),
      }),
    };
    // After the request, and what its answer makes the page do.
    setImmediate(() =>
      setImmediate(() => {
        if (fake.commitError === undefined) made.oncomplete?.();
        else {
          made.error = fake.commitError;
          made.onabort?.();
        }
      }),
    );
    return made;
  };

  stubGlobal("indexedDB", {
    open: () =>
      request(() => {
        if (fake.openError !== undefined) throw fake.openError;
        fake.open += 1;
        fake.opened += 1;
        let closed = false;
        return {
          createObjectStore() {},
          transaction: () => {
            if (closed) throw new DOMException("it is closed", "InvalidStateError");
            return transaction();
          },
          close() {
            if (!closed) fake.open -= 1;
            closed = true;
          },
        };
      }),
  });
  return fake;
}
