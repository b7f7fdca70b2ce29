/** The key store, and what can be found in its database. */

import { type KeyStore, openKeyStore } from "@wice/web";
import type { KeyReport, WebPage } from "../web-page.ts";

type KeyFunctions = Pick<WebPage, "openKey" | "importKey" | "exportKey" | "listKeys" | "deleteKey" | "readableValues">;

/** A store that is only in memory forgets when it is closed: each stays open as long as the page. */
export function createKeys(): KeyFunctions {
  const stores = new Map<string, Promise<KeyStore>>();
  const storeOf = (name: string): Promise<KeyStore> => {
    const store = stores.get(name) ?? openKeyStore({ name });
    stores.set(name, store);
    return store;
  };
  const report = ({ protection, warning }: KeyStore, publicKey: { toString(): string }): KeyReport => ({
    publicKey: publicKey.toString(),
    protection,
    warning,
  });
  return {
    async openKey(name, key) {
      const store = await storeOf(name);
      return report(store, (await store.open(key)).publicKey);
    },
    async importKey(name, key, text, options) {
      const store = await storeOf(name);
      return report(store, (await store.import(key, text, options)).publicKey);
    },
    exportKey: async (name, key) => (await storeOf(name)).exportText(key),
    async listKeys(name) {
      const keys = await (await storeOf(name)).list();
      return keys.map((key) => ({ ...key, publicKey: key.publicKey.toString() }));
    },
    deleteKey: async (name, key) => (await storeOf(name)).delete(key),
    readableValues,
  };
}

async function readableValues(name: string): Promise<readonly string[]> {
  const database = await done(indexedDB.open(name));
  try {
    const found: string[] = [];
    for (const table of database.objectStoreNames) {
      const rows: unknown[] = await done(database.transaction(table).objectStore(table).getAll());
      for (const row of rows) await collect(row, found);
    }
    return found;
  } finally {
    database.close();
  }
}

/** Everything that is text or bytes, keys that let themselves be exported included; bytes as base64. */
async function collect(value: unknown, found: string[]): Promise<void> {
  if (typeof value === "string") found.push(value);
  else if (value instanceof ArrayBuffer) found.push(base64(new Uint8Array(value)));
  else if (value instanceof Uint8Array) found.push(base64(value));
  else if (value instanceof CryptoKey) {
    for (const format of ["raw", "jwk", "pkcs8"] as const) {
      await crypto.subtle.exportKey(format, value).then(
        (bytes) => collect(bytes, found),
        () => {},
      );
    }
  } else if (typeof value === "object" && value !== null) {
    for (const part of Object.values(value)) await collect(part, found);
  }
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
