/** Keys in the memory of the page, for where the browser gives it no better place. */

import { type PrivateKey, WiceError } from "@wice/core";
import { decodeKey, encodeKey } from "./base64.ts";
import type { KeyStore } from "./key-store.ts";

export async function createMemoryKeyStore(warning: string): Promise<KeyStore> {
  const { generatePrivateKey, importPrivateKey } = await import("./plain-keys.ts");
  const keys = new Map<string, { readonly key: PrivateKey; readonly extractable: boolean }>();
  let closed = false;
  const check = (): void => {
    if (closed) throw new WiceError("closed", "the key store is closed");
  };
  return {
    protection: "memory",
    warning,
    async open(name) {
      check();
      const found = keys.get(name) ?? { key: generatePrivateKey(), extractable: false };
      keys.set(name, found);
      return found.key;
    },
    async import(name, bytes, { extractable = false } = {}) {
      check();
      if (keys.has(name))
        throw new WiceError("invalid-argument", "there is a key of that name already; delete it first");
      const key = importPrivateKey(decodeKey(bytes));
      keys.set(name, { key, extractable });
      return key;
    },
    async exportText(name) {
      check();
      const found = keys.get(name);
      if (found === undefined) throw new WiceError("invalid-argument", "there is no key of that name");
      if (!found.extractable) throw new WiceError("unsupported", "this key was not imported as extractable");
      return encodeKey(found.key.exportKey());
    },
    async list() {
      check();
      return [...keys].map(([name, { key, extractable }]) => ({ name, publicKey: key.publicKey, extractable }));
    },
    async delete(name) {
      check();
      keys.delete(name);
    },
    close() {
      closed = true;
      keys.clear();
    },
  };
}
