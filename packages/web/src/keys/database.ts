/** The little of IndexedDB that a key store needs, as promises. */

import { WiceError } from "@wice/core";

export interface KeyRecord {
  readonly name: string;
  /** Kept by the browser as it is: its bytes never pass through a script. */
  readonly key: CryptoKey;
  /** 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
}

export interface KeyDatabase {
  get(name: string): Promise<KeyRecord | undefined>;
  /** False when there is one of that name. */
  add(record: KeyRecord): Promise<boolean>;
  all(): Promise<readonly KeyRecord[]>;
  delete(name: string): Promise<void>;
  close(): void;
}

const storeName = "keys";

/** How browsers say that this page, or this kind of window, gets no database. */
const refusals: readonly string[] = ["SecurityError", "InvalidStateError", "NotSupportedError"];

/**
 * Undefined where the platform has no database, or refuses it to this page. Rejects with `unavailable` where it fails: the
 * keys may well be there.
 */
export async function openDatabase(name: string): Promise<KeyDatabase | undefined> {
  if (globalThis.indexedDB === undefined) return undefined;
  let database: IDBDatabase;
  try {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(storeName, { keyPath: "name" });
    database = await settled(opening);
  } catch (cause) {
    if (cause instanceof DOMException && refusals.includes(cause.name)) return undefined;
    throw new WiceError("unavailable", "the browser's database of keys cannot be opened", { cause });
  }
  // Whoever deletes the database, or opens a newer version, must not have to wait for this page to end.
  database.onversionchange = () => database.close();
  const read = <T>(ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> =>
    settled(ask(database.transaction(storeName, "readonly").objectStore(storeName)));
  const write = async (change: (store: IDBObjectStore) => IDBRequest): Promise<void> => {
    const transaction = database.transaction(storeName, "readwrite");
    // A request that succeeded is not on the disk yet, and a full disk shows only then.
    await Promise.all([settled(change(transaction.objectStore(storeName))), committed(transaction)]);
  };
  return {
    get: (key) => read<KeyRecord | undefined>((store) => store.get(key)),
    async add(record) {
      try {
        await write((store) => store.add(record));
        return true;
      } catch (error) {
        if (error instanceof DOMException && error.name === "ConstraintError") return false;
        throw error;
      }
    },
    all: () => read<KeyRecord[]>((store) => store.getAll()),
    delete: (key) => write((store) => store.delete(key)),
    close: () => database.close(),
  };
}

function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = (event) => {
      // Handled here: an error that bubbles on is reported as one of the page.
      event.preventDefault();
      reject(request.error);
    };
  });
}
