/** Private keys on `node:crypto`: core's functions with {@link nodeX25519} in them. */

import * as core from "@wice/core";
import { nodeX25519 } from "./node-x25519.ts";

/** A new random private key, clamped as `wg genkey` does. */
export function generatePrivateKey(): core.PrivateKey {
  return core.generatePrivateKey({ x25519: nodeX25519 });
}

/** From 44 characters of base64, as WireGuard prints private keys. Throws `invalid-key`. */
export function parsePrivateKey(text: string): core.PrivateKey {
  return core.parsePrivateKey(text, { x25519: nodeX25519 });
}

/** From 32 raw bytes, which are copied. Throws `invalid-key`. */
export function importPrivateKey(bytes: Uint8Array): core.PrivateKey {
  return core.importPrivateKey(bytes, { x25519: nodeX25519 });
}
