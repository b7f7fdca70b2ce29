/** X25519 in plain JavaScript: works everywhere, about 1 ms per agreement. */

import { x25519 } from "@noble/curves/ed25519.js";
import type { X25519 } from "./key-agreement.ts";
import { PublicKey } from "./public-key.ts";

export const nobleX25519: X25519 = {
  fromPrivateKey(bytes) {
    const secret = new Uint8Array(bytes);
    return {
      publicKey: PublicKey.fromBytes(x25519.getPublicKey(secret)),
      async sharedSecret(theirs, options) {
        options?.signal?.throwIfAborted();
        return x25519.getSharedSecret(secret, theirs.toBytes());
      },
      exportKey: () => new Uint8Array(secret),
    };
  },
};
