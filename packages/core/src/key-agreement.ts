/** X25519 as an interface, so that a key can live where nobody can read it, and be fast where the platform is. */

import type { CallOptions } from "./call-options.ts";
import type { PublicKey } from "./public-key.ts";

/** One private key, wherever it lives: in memory, in `node:crypto`, in WebCrypto as non-extractable. */
export interface KeyAgreement {
  readonly publicKey: PublicKey;
  /** The raw X25519 shared secret (RFC 7748): 32 bytes. */
  sharedSecret(theirs: PublicKey, options?: CallOptions): Promise<Uint8Array>;
  /** The 32 bytes of the private key; absent where the key cannot leave its place. */
  exportKey?(): Uint8Array<ArrayBuffer>;
}

/** An implementation of X25519 that works on raw private keys. */
export interface X25519 {
  /** Takes 32 bytes, unclamped or clamped, which the caller keeps to itself from then on. */
  fromPrivateKey(bytes: Uint8Array): KeyAgreement;
}
