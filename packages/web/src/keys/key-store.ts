/** A page's own keys, by name. */

import type { CallOptions, PrivateKey, PublicKey } from "@wice/core";
import { abortable } from "@wice/core/transport";
import { openDatabase } from "./database.ts";
import { createMemoryKeyStore } from "./memory-key-store.ts";
import { createStoredKeyStore } from "./stored-key-store.ts";
import { hasWebCryptoX25519 } from "./web-crypto.ts";

export interface KeyStoreOptions extends CallOptions {
  /**
   * The IndexedDB database. Stores of one origin with the same name have the same keys, but where keys are only in
   * memory: there each store has its own. Default `"wice"`.
   */
  readonly name?: string | undefined;
}

/**
 * Calls reject with `closed` after {@link KeyStore.close}, with `unavailable` where the browser's database fails, and with
 * the signal's reason; what an aborted call was about to store may be stored all the same.
 */
export interface KeyStore {
  /**
   * `"non-extractable"`: keys live in the browser's database as WebCrypto keys that no script can read, unless they were
   * imported as extractable. `"memory"`: they are in the page's memory, and forgotten with it or when the store is closed.
   */
  readonly protection: "non-extractable" | "memory";
  /** Why keys are only in memory, and what to do about it. */
  readonly warning: string | undefined;
  /** The key of that name, a new one when there is none. */
  open(name: string, options?: CallOptions): Promise<PrivateKey>;
  /**
   * Takes a key from elsewhere: 32 bytes, or their base64. Rejects with `invalid-key`, and with `invalid-argument` when
   * there is a key of that name.
   */
  import(name: string, key: string | Uint8Array, options?: ImportOptions): Promise<PrivateKey>;
  /**
   * The base64 of a key. Rejects with `unsupported` for one that cannot be exported, and with `invalid-argument` where
   * there is none of that name.
   */
  exportText(name: string, options?: CallOptions): Promise<string>;
  list(options?: CallOptions): Promise<readonly StoredKey[]>;
  /** Forgets a key for good. Nothing happens when there is none of that name. */
  delete(name: string, options?: CallOptions): Promise<void>;
  /** Keys that were opened go on working. Idempotent. */
  close(): void;
}

export interface ImportOptions extends CallOptions {
  /** Whether it can be exported again. Whoever can run a script in the page can then read it. Default false. */
  readonly extractable?: boolean | undefined;
}

export interface StoredKey {
  readonly name: string;
  readonly publicKey: PublicKey;
  readonly extractable: boolean;
}

/**
 * Opens the key store of this origin. Where there is no WebCrypto with X25519 (a page that was loaded over plain HTTP
 * from an address that is not local, or an old browser) or no database (some private windows and sandboxed frames),
 * keys are kept in memory, and {@link KeyStore.warning} says so; plain JavaScript for X25519 is loaded only then.
 *
 * A browser that runs out of space may throw away what a site has stored, keys included, unless the site has asked it not to:
 * `navigator.storage.persist()`, which some browsers ask the user about. Rejects with `unavailable` where the database fails,
 * and with the signal's reason.
 *
 * ```ts
 * const store = await openKeyStore();
 * const key = await store.open("alice");
 * console.log(store.protection, key.publicKey.toString());
 * ```
 */
export async function openKeyStore({ name = "wice", signal }: KeyStoreOptions = {}): Promise<KeyStore> {
  signal?.throwIfAborted();
  const opening = chooseKeyStore(name);
  try {
    return await abortable(opening, signal);
  } catch (error) {
    opening.then(
      (store) => store.close(),
      () => {},
    );
    throw error;
  }
}

async function chooseKeyStore(name: string): Promise<KeyStore> {
  if (!(await hasWebCryptoX25519())) {
    const remedy =
      globalThis.isSecureContext === false
        ? "the page was not loaded over https, so the browser gives it no WebCrypto; load it over https or from localhost"
        : "this browser has no X25519 in WebCrypto; use a newer one";
    return createMemoryKeyStore(`keys are kept in memory and lost with the page: ${remedy}`);
  }
  const database = await openDatabase(name);
  if (database === undefined) {
    const remedy = "the browser refuses a database, as some do in private windows";
    return createMemoryKeyStore(`keys are kept in memory and lost with the page: ${remedy}`);
  }
  return createStoredKeyStore(database);
}
