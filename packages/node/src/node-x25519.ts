/** X25519 by `node:crypto`: many times as fast as plain JavaScript. */

import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from "node:crypto";
import { PublicKey, WiceError, type X25519 } from "@wice/core";

const keyBytes = 32;
/** What stands before the 32 bytes in DER (RFC 8410): `PrivateKeyInfo` and `SubjectPublicKeyInfo`. */
const pkcs8Prefix = Buffer.from("302e020100300506032b656e04220420", "hex");
const spkiPrefix = Buffer.from("302a300506032b656e032100", "hex");

/**
 * Key agreement for `generatePrivateKey`, `parsePrivateKey` and `importPrivateKey` of `@wice/core`. The secret lives in
 * a `KeyObject`, whose text and inspection show nothing. `sharedSecret` rejects with `invalid-key` for a key that no
 * peer can have, such as `PublicKey.any`.
 *
 * ```ts
 * const key = parsePrivateKey(text, { x25519: nodeX25519 });
 * ```
 */
export const nodeX25519: X25519 = {
  fromPrivateKey(bytes) {
    const secret = importSecret(bytes);
    return {
      publicKey: PublicKey.fromBytes(
        createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-keyBytes),
      ),
      async sharedSecret(theirs, options) {
        options?.signal?.throwIfAborted();
        try {
          const publicKey = createPublicKey({
            key: withPrefix(spkiPrefix, theirs.toBytes()),
            format: "der",
            type: "spki",
          });
          return new Uint8Array(diffieHellman({ privateKey: secret, publicKey }));
        } catch (cause) {
          throw new WiceError("invalid-key", "no secret can be shared with this public key", { cause });
        }
      },
      exportKey: () => new Uint8Array(secret.export({ format: "der", type: "pkcs8" }).subarray(-keyBytes)),
    };
  },
};

function importSecret(bytes: Uint8Array): KeyObject {
  if (bytes.length !== keyBytes) throw new WiceError("invalid-key", "a private key is 32 bytes");
  const key = withPrefix(pkcs8Prefix, bytes);
  try {
    return createPrivateKey({ key, format: "der", type: "pkcs8" });
  } finally {
    key.fill(0);
  }
}

function withPrefix(prefix: Buffer, bytes: Uint8Array): Buffer {
  const joined = Buffer.alloc(prefix.length + bytes.length);
  joined.set(prefix);
  joined.set(bytes, prefix.length);
  return joined;
}
