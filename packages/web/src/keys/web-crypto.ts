/** X25519 by WebCrypto: keys that scripts can use, and cannot read. */

import { type KeyAgreement, PublicKey, WiceError } from "@wice/core";

const algorithm = { name: "X25519" };

/** What stands before the 32 bytes in PKCS #8 (RFC 8410). */
const pkcs8Prefix = /* @__PURE__ */ Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32);

/** The u-coordinate 9 (RFC 7748): the secret shared with it is one's own public key. */
const basePoint = /* @__PURE__ */ Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 9 : 0));

/** Whether this platform has it. Pages that are no secure context have no WebCrypto at all. */
export async function hasWebCryptoX25519(): Promise<boolean> {
  try {
    await generateCryptoKey();
    return true;
  } catch {
    return false;
  }
}

/** A new key, which cannot be exported. */
export async function generateCryptoKey(): Promise<CryptoKey> {
  const pair = await crypto.subtle.generateKey(algorithm, false, ["deriveBits"]);
  return (pair as CryptoKeyPair).privateKey;
}

/** From 32 raw bytes. Rejects with `invalid-key`. */
export async function importCryptoKey(bytes: Uint8Array, extractable: boolean): Promise<CryptoKey> {
  if (bytes.every((byte) => byte === 0)) throw new WiceError("invalid-key", "a private key cannot be all zero");
  const pkcs8 = Uint8Array.of(...pkcs8Prefix, ...bytes);
  try {
    return await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, extractable, ["deriveBits"]);
  } finally {
    pkcs8.fill(0);
  }
}

/** The 32 bytes of a key that was imported as extractable. */
export async function exportCryptoKey(key: CryptoKey): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)).subarray(-32);
}

export async function publicKeyOf(key: CryptoKey): Promise<PublicKey> {
  return PublicKey.fromBytes(await agree(key, basePoint));
}

export function cryptoKeyAgreement(key: CryptoKey, publicKey: PublicKey): KeyAgreement {
  return {
    publicKey,
    async sharedSecret(theirs, options) {
      options?.signal?.throwIfAborted();
      try {
        return await agree(key, theirs.toBytes());
      } catch (cause) {
        throw new WiceError("invalid-key", "no secret can be shared with this public key", { cause });
      }
    },
  };
}

async function agree(key: CryptoKey, theirs: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const theirKey = await crypto.subtle.importKey("raw", theirs, algorithm, false, []);
  return new Uint8Array(await crypto.subtle.deriveBits({ ...algorithm, public: theirKey }, key, 256));
}
