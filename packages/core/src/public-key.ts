/** The name of a peer: an X25519 public key in its one canonical form. */

import { copyBytes, equalBytes, fromBase64, toBase64 } from "./bytes.ts";
import { WiceError } from "./errors.ts";

const keyBytes = 32;

/**
 * A peer's X25519 public key (RFC 7748), printed as WireGuard prints it: 44 characters of base64.
 *
 * Only canonical keys exist as objects: bit 255 clear, below 2^255 − 19, not of low order. The same key in another
 * bit pattern would slip past filters that compare bytes; a point of low order makes a shared secret that everybody
 * knows. Anything else is refused with `invalid-key`.
 *
 * ```ts
 * const key = PublicKey.parse("YU6BcM9nME+e2rYQuu0KYQ0OZgC3U0EfbSfotMkssiQ=");
 * key.equals(PublicKey.fromBytes(key.toBytes())); // true
 * ```
 */
export class PublicKey {
  /** Stands for any sender when subscribing: all zero, which no peer can have. */
  static readonly any: PublicKey = /* @__PURE__ */ new PublicKey(/* @__PURE__ */ new Uint8Array(keyBytes));

  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #text: string;

  private constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    this.#text = toBase64(bytes);
  }

  /** From 44 characters of base64. Throws `invalid-key`. */
  static parse(text: string): PublicKey {
    const bytes = typeof text === "string" ? fromBase64(text.trim()) : undefined;
    if (bytes === undefined) throw new WiceError("invalid-key", "a public key is 44 characters of base64 (32 bytes)");
    return PublicKey.fromBytes(bytes);
  }

  /** From 32 raw bytes, which are copied. Throws `invalid-key`. */
  static fromBytes(bytes: Uint8Array): PublicKey {
    const flaw = publicKeyFlaw(bytes);
    if (flaw !== undefined) throw new WiceError("invalid-key", `not a public key: ${flaw}`);
    return new PublicKey(copyBytes(bytes, "a public key"));
  }

  /** 32 bytes, a copy. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes);
  }

  equals(other: PublicKey): boolean {
    return this.#text === other.#text;
  }

  /**
   * Negative when this key is the smaller, as big-endian numbers; 0 when equal. The peer with the smaller key is
   * the controlling one.
   */
  compare(other: PublicKey): number {
    for (let i = 0; i < keyBytes; i++) {
      const difference = (this.#bytes[i] as number) - (other.#bytes[i] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  }

  /** Base64, as WireGuard prints keys. */
  toString(): string {
    return this.#text;
  }

  toJSON(): string {
    return this.#text;
  }

  /** Shows the key where consoles print objects. */
  get [Symbol.toStringTag](): string {
    return this.#text;
  }
}

/**
 * Why 32 bytes cannot be a peer's public key, or undefined when they can. For hot paths that check keys without making
 * objects of them.
 */
export function publicKeyFlaw(bytes: Uint8Array): string | undefined {
  if (!(bytes instanceof Uint8Array) || bytes.length !== keyBytes) return "it must be 32 bytes";
  const top = bytes[31] as number;
  if (top > 0x7f) return "bit 255 is set, which is not the canonical form";
  // Of the 2^256 patterns, all but a few are decided by their first and last byte.
  if (top === 0x7f && isAtLeastPrime(bytes)) return "it is 2^255 − 19 or more, which is not the canonical form";
  if (lowOrder.some((point) => point[31] === top && equalBytes(point, bytes))) return "it is a point of low order";
  return undefined;
}

/** Whether the little-endian number, whose top byte is 0x7f, is at least 2^255 − 19. */
function isAtLeastPrime(bytes: Uint8Array): boolean {
  for (let i = 30; i >= 1; i--) if (bytes[i] !== 0xff) return false;
  return (bytes[0] as number) >= 0xed;
}

/** The canonical u-coordinates of small order on Curve25519 and its twist: 0, 1, two of order 8, and p − 1. */
const lowOrder: readonly Uint8Array[] = /* @__PURE__ */ [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map((hex) => Uint8Array.from({ length: keyBytes }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)));
