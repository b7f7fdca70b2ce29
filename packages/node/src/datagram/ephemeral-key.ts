/** An X25519 key for one description of a connection: made by `node:crypto`, and gone with the connection. */

import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from "node:crypto";
import { PublicKey, WiceError } from "@wice/core";

export interface EphemeralKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The 32 bytes that both sides share. Throws `invalid-message` for what is no key of an honest peer. */
  agree(theirs: Uint8Array): Uint8Array;
}

const keyBytes = 32;
/** What stands before the 32 bytes in DER (RFC 8410). */
const publicPrefix = Buffer.from("302a300506032b656e032100", "hex");
const privatePrefix = Buffer.from("302e020100300506032b656e04220420", "hex");

export function generateEphemeralKey(): EphemeralKey {
  return keyOf(generateKeyPairSync("x25519").privateKey);
}

/** For vectors: a key that is not random protects nothing. */
export function ephemeralKeyFrom(secret: Uint8Array): EphemeralKey {
  return keyOf(createPrivateKey({ key: Buffer.concat([privatePrefix, secret]), format: "der", type: "pkcs8" }));
}

function keyOf(privateKey: KeyObject): EphemeralKey {
  const encoded = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return {
    publicKey: new Uint8Array(encoded.subarray(-keyBytes)),
    agree(theirs) {
      try {
        // Refuses keys of low order, and a second spelling of a key.
        const key = Buffer.concat([publicPrefix, PublicKey.fromBytes(theirs).toBytes()]);
        return diffieHellman({ privateKey, publicKey: createPublicKey({ key, format: "der", type: "spki" }) });
      } catch (cause) {
        throw new WiceError("invalid-message", "the peer's ephemeral key is none", { cause });
      }
    },
  };
}
