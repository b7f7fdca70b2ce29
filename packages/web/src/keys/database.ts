/** The little of IndexedDB that a key store needs, as promises. */

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

/** Undefined where the platform has no database, or refuses it. */
export async function openDatabase(name: string): Promise<KeyDatabase | undefined> {
  let database: IDBDatabase;
  try {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(storeName, { keyPath: "name" });
    database = await settled(opening);
  } catch {
    return undefined;
  }
  // Whoever deletes the database, or opens a newer version, must not have to wait for this page to end.
  database.onversionchange = () => database.close();
  const store = (mode: IDBTransactionMode): IDBObjectStore =>
    database.transaction(storeName, mode).objectStore(storeName);
  return {
    get: (key) => settled<KeyRecord | undefined>(store("readonly").get(key)),
    async add(record) {
      try {
        await settled(store("readwrite").add(record));
        return true;
      } catch (error) {
        if (error instanceof DOMException && error.name === "ConstraintError") return false;
        throw error;
      }
    },
    all: () => settled<KeyRecord[]>(store("readonly").getAll()),
    delete: (key) => settled(store("readwrite").delete(key)),
    close: () => database.close(),
  };
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
