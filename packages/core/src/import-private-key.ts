/**
 * Private keys from randomness, text and bytes. Apart from the keys themselves, because these bring X25519 in plain
 * JavaScript along, and a page whose keys live in WebCrypto needs none of it.
 */

import { copyBytes, fromBase64, type RandomBytes, randomBytes } from "./bytes.ts";
import { WiceError } from "./errors.ts";
import type { X25519 } from "./key-agreement.ts";
import { nobleX25519 } from "./noble-x25519.ts";
import { PrivateKey } from "./private-key.ts";

export interface PrivateKeyOptions {
  /** The implementation of X25519. Default: plain JavaScript; `@wice/node` brings a faster one. */
  readonly x25519?: X25519;
}

/** A new random private key, clamped as `wg genkey` does (RFC 7748, section 5). */
export function generatePrivateKey(options: PrivateKeyOptions & { readonly random?: RandomBytes } = {}): PrivateKey {
  return importPrivateKey(clamp((options.random ?? randomBytes)(32)), options);
}

/** From 44 characters of base64, as WireGuard prints private keys. Throws `invalid-key`. */
export function parsePrivateKey(text: string, options: PrivateKeyOptions = {}): PrivateKey {
  const bytes = typeof text === "string" ? fromBase64(text.trim()) : undefined;
  if (bytes === undefined) throw new WiceError("invalid-key", "a private key is 44 characters of base64 (32 bytes)");
  return importPrivateKey(bytes, options);
}

/** From 32 raw bytes, which are copied. Throws `invalid-key`. */
export function importPrivateKey(bytes: Uint8Array, options: PrivateKeyOptions = {}): PrivateKey {
  const secret = copyBytes(bytes, "a private key");
  if (secret.length !== 32) throw new WiceError("invalid-key", "a private key is 32 bytes");
  if (secret.every((byte) => byte === 0)) throw new WiceError("invalid-key", "a private key cannot be all zero");
  return new PrivateKey((options.x25519 ?? nobleX25519).fromPrivateKey(secret));
}

/** Clamps 32 bytes in place into an X25519 scalar. */
export function clamp(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  bytes[0] = (bytes[0] as number) & 0xf8;
  bytes[31] = ((bytes[31] as number) & 0x7f) | 0x40;
  return bytes;
}
