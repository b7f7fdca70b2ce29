/** Private keys as WireGuard prints them. */

import { WiceError } from "@wice/core";

/** A copy of 32 bytes, or what their base64 says. Throws `invalid-key`. */
export function decodeKey(key: string | Uint8Array): Uint8Array<ArrayBuffer> {
  if (key instanceof Uint8Array && key.length === 32) return new Uint8Array(key);
  const text = typeof key === "string" ? key.trim() : "";
  if (!/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text))
    throw new WiceError("invalid-key", "a private key is 32 bytes, or 44 characters of base64");
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

export function encodeKey(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
