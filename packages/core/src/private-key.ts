/** A peer's own key. It opens and seals, and never shows itself. */

import type { CallOptions } from "./call-options.ts";
import { WiceError } from "./errors.ts";
import type { KeyAgreement } from "./key-agreement.ts";
import type { PublicKey } from "./public-key.ts";

const redacted = "PrivateKey(redacted)";

/**
 * A private key with its public key. Texts, JSON and inspection are redacted; {@link PrivateKey.exportKey} is the one
 * way out.
 *
 * Make one with `generatePrivateKey` or `parsePrivateKey`; the constructor is for key stores that have a key agreement of
 * their own.
 */
export class PrivateKey {
  readonly publicKey: PublicKey;
  readonly #agreement: KeyAgreement;

  constructor(agreement: KeyAgreement) {
    this.publicKey = agreement.publicKey;
    this.#agreement = agreement;
  }

  /** The raw X25519 shared secret with a peer: 32 bytes. */
  sharedSecret(theirs: PublicKey, options?: CallOptions): Promise<Uint8Array> {
    return this.#agreement.sharedSecret(theirs, options);
  }

  /** The 32 secret bytes, for writing to a key file. Throws `unsupported` where the key cannot leave its place. */
  exportKey(): Uint8Array<ArrayBuffer> {
    if (this.#agreement.exportKey === undefined) {
      throw new WiceError("unsupported", "this private key cannot be exported: its store keeps it");
    }
    return this.#agreement.exportKey();
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  get [Symbol.toStringTag](): string {
    return redacted;
  }
}

/** Ours and theirs: what a message is sealed with. `theirs` may be `PublicKey.any` when subscribing. */
export interface KeyPair {
  readonly ours: PrivateKey;
  readonly theirs: PublicKey;
}
