/** Which of two peers is the controlling ICE agent: decided by their keys, without a message. */

import { WiceError } from "./errors.ts";
import type { PublicKey } from "./public-key.ts";

/** The two roles of ICE (RFC 8445, section 6.1.1). */
export type Role = "controlling" | "controlled";

/** Our role towards a peer: the smaller public key is controlling. Throws `equal-keys` where there is no smaller one. */
export function electRole(ours: PublicKey, theirs: PublicKey): Role {
  const order = ours.compare(theirs);
  if (order === 0)
    throw new WiceError("equal-keys", "both peers have the same public key; a peer cannot connect to itself");
  return order < 0 ? "controlling" : "controlled";
}
