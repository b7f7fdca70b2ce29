/** Keys in the memory of the page, for where the browser gives it no better place. */

import { type CallOptions, PrivateKey, WiceError } from "@wice/core";
import { decodeKey, encodeKey } from "./base64.ts";
import type { KeyStore } from "./key-store.ts";

interface KeptKey {
  /** As it is handed out: it shows its bytes as little as one of WebCrypto. */
  readonly key: PrivateKey;
  readonly secret: PrivateKey;
  readonly extractable: boolean;
}

export async function createMemoryKeyStore(warning: string): Promise<KeyStore> {
  const { generatePrivateKey, importPrivateKey } = await import("./plain-keys.ts");
  const keys = new Map<string, KeptKey>();
  let closed = false;
  const check = ({ signal }: CallOptions): void => {
    signal?.throwIfAborted();
    if (closed) throw new WiceError("closed", "the key store is closed");
  };
  const keep = (name: string, secret: PrivateKey, extractable: boolean): KeptKey => {
    const { publicKey } = secret;
    const key = new PrivateKey({ publicKey, sharedSecret: (theirs, options) => secret.sharedSecret(theirs, options) });
    const kept = { key, secret, extractable };
    keys.set(name, kept);
    return kept;
  };
  return {
    protection: "memory",
    warning,
    async open(name, options = {}) {
      check(options);
      return (keys.get(name) ?? keep(name, generatePrivateKey(), false)).key;
    },
    async import(name, key, options = {}) {
      check(options);
      const bytes = decodeKey(key);
      try {
        const secret = importPrivateKey(bytes);
        if (keys.has(name))
          throw new WiceError("invalid-argument", "there is a key of that name already; delete it first");
        return keep(name, secret, options.extractable ?? false).key;
      } finally {
        bytes.fill(0);
      }
    },
    async exportText(name, options = {}) {
      check(options);
      const found = keys.get(name);
      if (found === undefined) throw new WiceError("invalid-argument", "there is no key of that name");
      if (!found.extractable)
        throw new WiceError("unsupported", "this key cannot be exported: it was not imported as extractable");
      return encodeKey(found.secret.exportKey());
    },
    async list(options = {}) {
      check(options);
      return Array.from(keys, ([name, { key, extractable }]) => ({ name, publicKey: key.publicKey, extractable }));
    },
    async delete(name, options = {}) {
      check(options);
      keys.delete(name);
    },
    close() {
      closed = true;
      keys.clear();
    },
  };
}
