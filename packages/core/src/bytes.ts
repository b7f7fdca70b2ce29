/** Bytes in, bytes out: base64 and hexadecimal text, comparison, randomness. */

import { WiceError } from "./errors.ts";

/** Strict standard base64 with padding: exactly one text for every sequence of bytes. */
export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** The inverse of {@link toBase64}; undefined where the text is anything else, other spellings of the same bytes included. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    return undefined;
  }
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return toBase64(bytes) === text ? bytes : undefined;
}

export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The bytes of what {@link toHex} has made. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

export function concatBytes(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** Compares in time that depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

/** Where randomness comes from: an input, so that a test can seed it. */
export type RandomBytes = (length: number) => Uint8Array<ArrayBuffer>;

/** The platform's cryptographic generator. */
export const randomBytes: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));

/** A copy that nobody else can change, or an `invalid-argument` that names what was wrong. */
export function copyBytes(bytes: Uint8Array, label: string): Uint8Array<ArrayBuffer> {
  if (!(bytes instanceof Uint8Array)) throw new WiceError("invalid-argument", `${label} must be a Uint8Array`);
  return new Uint8Array(bytes);
}
