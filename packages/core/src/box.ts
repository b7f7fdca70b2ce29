/** The NaCl box: X25519, HSalsa20, XSalsa20-Poly1305, tag first. */

import { copyBytes, type RandomBytes, randomBytes } from "./bytes.ts";
import type { CallOptions } from "./call-options.ts";
import { type Envelope, nonceBytes } from "./envelope.ts";
import { asWiceError, WiceError } from "./errors.ts";
import type { KeyPair, PrivateKey } from "./private-key.ts";
import { PublicKey } from "./public-key.ts";
import { hsalsa20 } from "./salsa20.ts";
import { openSecretbox, secretbox } from "./secretbox.ts";

/** The 32-byte key of all boxes between two keys, the same in both directions. As secret as a private key. */
export type BoxKey = Uint8Array;

/** Agrees on the key of the boxes between us and a peer. */
export async function agreeBoxKey(ours: PrivateKey, theirs: PublicKey, options?: CallOptions): Promise<BoxKey> {
  if (theirs.equals(PublicKey.any))
    throw new WiceError("invalid-key", "PublicKey.any is for subscribing: it is nobody's");
  const secret = await ours.sharedSecret(theirs, options).catch((error: unknown) => {
    options?.signal?.throwIfAborted();
    throw asWiceError(error, "the key agreement");
  });
  if (secret.length !== 32 || secret.every((byte) => byte === 0)) {
    throw new WiceError("invalid-key", "the key agreement gave no secret: a key is of low order");
  }
  return hsalsa20(secret, new Uint8Array(16));
}

/** Seals with a fresh random nonce. */
export function sealWith(key: BoxKey, plaintext: Uint8Array, random: RandomBytes): Pick<Envelope, "body" | "nonce"> {
  const nonce = random(nonceBytes);
  if (nonce.length !== nonceBytes)
    throw new WiceError("invalid-argument", `random must give ${nonceBytes} bytes when asked for as many`);
  return { nonce, body: secretbox(key, nonce, plaintext) };
}

/** The plaintext, or undefined when the box was altered or is of other keys. */
export function openWith(key: BoxKey, { body, nonce }: Pick<Envelope, "body" | "nonce">): Uint8Array | undefined {
  return nonce.length === nonceBytes ? openSecretbox(key, nonce, body) : undefined;
}

/**
 * Seals bytes for a peer. A backend does this for you, with a cached key; this is for those who have envelopes only.
 *
 * ```ts
 * const envelope = await seal({ ours: alice, theirs: bob.publicKey }, encodeMessage({ payload }));
 * const message = decodeMessage(await open(bob, envelope));
 * ```
 */
export async function seal(
  pair: KeyPair,
  plaintext: Uint8Array,
  options: CallOptions & { readonly random?: RandomBytes } = {},
): Promise<Envelope> {
  const bytes = copyBytes(plaintext, "plaintext");
  const key = await agreeBoxKey(pair.ours, pair.theirs, options);
  return {
    sender: pair.ours.publicKey,
    recipient: pair.theirs,
    ...sealWith(key, bytes, options.random ?? randomBytes),
  };
}

/** Opens an envelope that is addressed to us. Throws `forged` where it does not open. */
export async function open(ours: PrivateKey, envelope: Envelope, options?: CallOptions): Promise<Uint8Array> {
  if (!envelope.recipient.equals(ours.publicKey))
    throw new WiceError("invalid-envelope", "the envelope is for another key");
  const plaintext = openWith(await agreeBoxKey(ours, envelope.sender, options), envelope);
  if (plaintext === undefined)
    throw new WiceError("forged", "the envelope does not open: altered, or of another sender");
  return plaintext;
}
