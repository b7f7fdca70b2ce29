/** Keys in IndexedDB, as WebCrypto keys. */

import { type CallOptions, PrivateKey, PublicKey, WiceError } from "@wice/core";
import { abortable } from "@wice/core/transport";
import { decodeKey, encodeKey } from "./base64.ts";
import type { KeyDatabase, KeyRecord } from "./database.ts";
import type { KeyStore } from "./key-store.ts";
import { cryptoKeyAgreement, exportCryptoKey, generateCryptoKey, importCryptoKey, publicKeyOf } from "./web-crypto.ts";

export function createStoredKeyStore(database: KeyDatabase): KeyStore {
  let closed = false;
  const use = async <T>({ signal }: CallOptions, work: () => Promise<T>): Promise<T> => {
    signal?.throwIfAborted();
    if (closed) throw new WiceError("closed", "the key store is closed");
    try {
      return await abortable(work(), signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof WiceError) throw error;
      throw new WiceError("unavailable", "the browser's database of keys failed", { cause: error });
    }
  };
  const add = async (name: string, key: CryptoKey): Promise<KeyRecord | undefined> => {
    const record = { name, key, publicKey: (await publicKeyOf(key)).toBytes() };
    return (await database.add(record)) ? record : undefined;
  };

  return {
    protection: "non-extractable",
    warning: undefined,

    open: (name, options = {}) =>
      use(options, async () => {
        const record =
          (await database.get(name)) ??
          (await add(name, await generateCryptoKey())) ??
          // Another tab was faster.
          (await database.get(name));
        if (record === undefined) throw new WiceError("unavailable", "another tab deletes keys at the same time");
        return privateKeyOf(record);
      }),

    import: (name, key, options = {}) =>
      use(options, async () => {
        const { extractable = false } = options;
        const bytes = decodeKey(key);
        const record = await add(name, await importCryptoKey(bytes, extractable)).finally(() => bytes.fill(0));
        if (record === undefined)
          throw new WiceError("invalid-argument", "there is a key of that name already; delete it first");
        return privateKeyOf(record);
      }),

    exportText: (name, options = {}) =>
      use(options, async () => {
        const record = await database.get(name);
        if (record === undefined) throw new WiceError("invalid-argument", "there is no key of that name");
        if (!record.key.extractable)
          throw new WiceError("unsupported", "this key cannot be exported: the browser keeps it");
        return encodeKey(await exportCryptoKey(record.key));
      }),

    list: (options = {}) =>
      use(options, async () =>
        (await database.all()).map(({ name, key, publicKey }) => ({
          name,
          publicKey: PublicKey.fromBytes(publicKey),
          extractable: key.extractable,
        })),
      ),

    delete: (name, options = {}) => use(options, () => database.delete(name)),

    close() {
      closed = true;
      database.close();
    },
  };
}

function privateKeyOf({ key, publicKey }: KeyRecord): PrivateKey {
  return new PrivateKey(cryptoKeyAgreement(key, PublicKey.fromBytes(publicKey)));
}
