/** What came lately, so that what comes by another way too is known. */

import { equalBytes, toBase64 } from "../bytes.ts";
import type { Envelope } from "../envelope.ts";

export interface RecentEnvelopes {
  /** False for an envelope that is there already, byte by byte. */
  isNew(envelope: Envelope): boolean;
}

/** How many, and how many bytes of bodies: a way that is slower than that is left to the backend's own window. */
const maxEnvelopes = 16_384;
const maxBytes = 8_388_608;
/** Different envelopes with one nonce, which only an attacker makes. */
const maxPerNonce = 8;

/**
 * Whole envelopes are compared, since the transports are not trusted: one that altered anything of what it carries, and
 * was faster, must not make the true one look like a duplicate.
 */
export function createRecentEnvelopes(): RecentEnvelopes {
  const byNonce = new Map<string, Envelope[]>();
  let envelopes = 0;
  let bytes = 0;
  const forgetOldest = (): void => {
    const [oldest] = byNonce;
    if (oldest === undefined) return;
    byNonce.delete(oldest[0]);
    envelopes -= oldest[1].length;
    for (const { body } of oldest[1]) bytes -= body.length;
  };
  return {
    isNew(envelope) {
      const nonce = toBase64(envelope.nonce);
      const known = byNonce.get(nonce) ?? [];
      if (known.some((each) => isSame(each, envelope))) return false;
      if (known.length >= maxPerNonce) return true;
      // The application gets the envelope itself, and may do with it what it likes.
      known.push({ ...envelope, body: new Uint8Array(envelope.body) });
      byNonce.set(nonce, known);
      envelopes += 1;
      bytes += envelope.body.length;
      while (envelopes > maxEnvelopes || bytes > maxBytes) forgetOldest();
      return true;
    },
  };
}

function isSame(a: Envelope, b: Envelope): boolean {
  return a.sender.equals(b.sender) && a.recipient.equals(b.recipient) && equalBytes(a.body, b.body);
}
