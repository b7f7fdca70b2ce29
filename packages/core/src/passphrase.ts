/** Keys from passphrases, on a subpath of their own because of Argon2's weight. */

import { argon2idAsync } from "@noble/hashes/argon2.js";
import type { CallOptions } from "./call-options.ts";
import { clamp, importPrivateKey, type PrivateKeyOptions } from "./import-private-key.ts";
import type { PrivateKey } from "./private-key.ts";

/**
 * The private key of a passphrase, the same that cunīcu derives: Argon2id (RFC 9106) with one pass, 64 MiB and 4 lanes
 * over a fixed salt. Takes about a second and 64 MiB. Whoever guesses the passphrase has the key: use it for groups
 * whose members share a long random passphrase.
 */
export async function privateKeyFromPassphrase(
  passphrase: string,
  options: PrivateKeyOptions & CallOptions = {},
): Promise<PrivateKey> {
  const { signal } = options;
  signal?.throwIfAborted();
  const bytes = await argon2idAsync(passphrase, "w1c3c0nn3cts3veryb0dy", {
    t: 1,
    m: 64 * 1024,
    p: 4,
    dkLen: 32,
    onProgress: () => signal?.throwIfAborted(),
  });
  return importPrivateKey(clamp(new Uint8Array(bytes)), options);
}
