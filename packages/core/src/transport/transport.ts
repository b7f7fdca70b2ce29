/** What a backend is built on. Write one of these to carry envelopes by a medium of your own. */

import type { CallOptions } from "../call-options.ts";
import type { Envelope } from "../envelope.ts";
import type { PublicKey } from "../public-key.ts";

/**
 * Moves sealed envelopes by public key. It never sees a private key or a message.
 *
 * What an author must keep, and `transportCompliance` of `@wice/core/testing` checks:
 * - an envelope published while a subscription of its recipient is live reaches that subscription, and every other
 *   one of the same key; order may change; nothing is kept for absent recipients;
 * - bytes arrive unaltered;
 * - failures are `WiceError`s, `retryable` where trying again can help.
 *
 * What `createBackend` keeps for them: sealing and opening, retries of publish, re-subscription after a loss,
 * duplicates, replays, receipts, filters by sender.
 */
export interface EnvelopeTransport {
  /** Resolves when the medium took the envelope; rejects with `too-large`, `unavailable`, … or `closed`. */
  publish(envelope: Envelope, options?: CallOptions): Promise<TransportReceipt>;
  /** Resolves when live: whatever is published from then on arrives. One try; `createBackend` tries again. */
  subscribe(recipient: PublicKey, options?: CallOptions): Promise<EnvelopeSubscription>;
  /** Ends every subscription and pending call. Idempotent. */
  close(): Promise<void>;
}

/** What is known once the medium took an envelope. */
export interface TransportReceipt {
  /** How many subscribers it was given to, of which those that share a stream count once; absent where the medium cannot tell. */
  readonly subscribers?: number | undefined;
}

/**
 * The envelopes for one key, to be iterated once. Iteration ends after `close()` or the iterator's `return()`; it
 * rejects with a retryable `WiceError` when the subscription is lost, and with the signal's reason when aborted.
 */
export interface EnvelopeSubscription extends AsyncIterable<Envelope> {
  /** Ends the subscription and its iteration. Idempotent. */
  close(): Promise<void>;
}
