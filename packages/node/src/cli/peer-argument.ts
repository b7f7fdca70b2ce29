/** The public key of a peer, as an argument. */

import { PublicKey } from "@wice/core";
import { UsageError } from "./usage-error.ts";

/** @param label what the argument is called in the usage: `"PEER"` */
export function parsePeer(label: string, text: string): PublicKey {
  try {
    return PublicKey.parse(text);
  } catch (error) {
    // The text is not repeated: it may be a private key in the wrong place.
    throw new UsageError(`${label}: ${error instanceof Error ? error.message : "not a public key"}`);
  }
}

/** A peer that is ourselves is a mistake in the command line, told before anything is tried. */
export function checkOther(label: string, theirs: PublicKey, ours: PublicKey): void {
  if (!theirs.equals(ours)) return;
  throw new UsageError(`${label} is the public key of --key itself; name another peer's key`);
}
