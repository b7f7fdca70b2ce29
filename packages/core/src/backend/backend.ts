/// <reference lib="esnext.disposable" preserve="true" />
/** What applications and sessions talk to: messages by public key, over whatever transport. */

import type { CallOptions } from "../call-options.ts";
import type { WiceError } from "../errors.ts";
import type { Message, MessageInit } from "../message.ts";
import type { KeyPair } from "../private-key.ts";
import type { PublicKey } from "../public-key.ts";

/**
 * Moves messages between peers that know each other's public key. It seals and opens them; the transport below sees
 * envelopes only.
 *
 * Reliable while both peers are reachable: published messages are retried, subscriptions return after every loss.
 * Order may change. Nothing is kept for absent recipients: a message for nobody is gone, unless it was published
 * `until: "delivered"`.
 */
export interface Backend extends AsyncDisposable {
  /** Names this backend to peers: 32 hexadecimal digits, random, new for each. */
  readonly instance: Instance;

  /**
   * Seals a message for `pair.theirs` and hands it over. Rejects with `equal-keys`, `invalid-argument`, `too-large`,
   * `unavailable` (after `timeoutMs` of retries), `not-delivered`, `delivery-unknown`, `unsupported`, `closed`, what
   * the transport refuses with, or the signal's reason.
   */
  publish(pair: KeyPair, message: MessageInit, options?: PublishOptions): Promise<PublishReceipt>;

  /**
   * The messages that `pair.theirs` (or anybody, for `PublicKey.any`) means for `pair.ours`. Resolves when live, and
   * waits for a server that is not there yet. Rejects with `equal-keys`, `closed`, what the transport refuses with, or
   * the signal's reason; the signal also ends the subscription later.
   */
  subscribe(pair: KeyPair, options?: SubscribeOptions): Promise<Subscription>;

  /** What happens to subscriptions and publications, from now on. Of those that are not read, the latest 64 are kept. */
  status(): AsyncIterable<BackendStatus>;

  /** What was dropped since the start, and why. */
  counters(): Readonly<Record<DropReason, number>>;

  /** Ends all subscriptions and pending calls, and closes the transport. Idempotent. */
  close(): Promise<void>;
}

/** One backend in one process or page, as 32 hexadecimal digits. */
export type Instance = string;

export interface PublishOptions extends CallOptions {
  /**
   * When the promise resolves. `"accepted"`, the default: the transport took the envelope. `"delivered"`: an instance
   * of the recipient put the message into a matching subscription and said so; re-sent until then. Not for group keys,
   * nor for peers that send no headers (Go): `unsupported`.
   */
  readonly until?: "accepted" | "delivered" | undefined;
  /** How long to try, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Only this instance of the recipient takes the message. Default: any does; for `"delivered"`, the first to answer. */
  readonly recipientInstance?: Instance | undefined;
  /** `pair.theirs` is a key that several members hold. Default false. */
  readonly group?: boolean | undefined;
}

export interface PublishReceipt {
  /** How many subscribers the envelope was given to, where the transport can tell. */
  readonly subscribers?: number | undefined;
  /** The instance that took the message; only for `until: "delivered"`. */
  readonly instance?: Instance | undefined;
}

export interface SubscribeOptions extends CallOptions {
  /**
   * Messages that wait at most; default 1,024. One that comes when the queue is full is dropped and counted; its sender
   * is not told that it was delivered, and sends it again where it cares.
   */
  readonly maxQueuedMessages?: number | undefined;
  /** `pair.ours` is a key that several members hold: no receipts are sent for it. Default false. */
  readonly group?: boolean | undefined;
}

/** To be iterated once. Iteration ends after `close()`, and rejects when the subscription cannot go on. */
export interface Subscription extends AsyncIterable<ReceivedMessage>, AsyncDisposable {
  /** Ends the subscription and its iteration. Idempotent. */
  close(): Promise<void>;
}

export interface ReceivedMessage {
  /** Whose key sealed the message: proven by the box. */
  readonly sender: PublicKey;
  readonly message: Message;
  /** The sender's instance; undefined for peers that send no headers (Go). */
  readonly instance: Instance | undefined;
  /**
   * The message names our own instance, so it was sent since our start and is not a recording from before. Act on a
   * command only when it is fresh, or harmless when repeated after a restart.
   */
  readonly fresh: boolean;
  /** The message has no header, though its key has sent headers: perhaps a recording, perhaps other software now. */
  readonly downgraded: boolean;
}

export type BackendStatus =
  /** A key is subscribed, for the first time or again. */
  | { readonly type: "subscribed"; readonly key: PublicKey }
  /** A key's subscription was lost or could not be made; it is tried again after `retryInMs`. */
  | { readonly type: "lost"; readonly key: PublicKey; readonly error: WiceError; readonly retryInMs: number }
  /** A message could not be handed over for a passing reason; it is tried again after `retryInMs`. */
  | { readonly type: "retrying"; readonly error: WiceError; readonly retryInMs: number }
  /** A key's subscription ended for good: the transport refuses. */
  | { readonly type: "refused"; readonly key: PublicKey; readonly error: WiceError };

/** Why an envelope did not become a message. A stranger can cause all of these; none reaches the application. */
export type DropReason =
  /** Addressed to another key than the one subscribed. */
  | "wrong-recipient"
  /** No subscription wants its sender. */
  | "unwanted"
  /** Too many unknown senders at a time. */
  | "throttled"
  /** The box does not open, or holds no message. */
  | "forged"
  | "malformed"
  /** Our own message, or one that pretends to our role. */
  | "reflected"
  /** For another instance of our key. */
  | "other-instance"
  /** Taken before. */
  | "duplicate"
  /** So old that it cannot be told from a duplicate. */
  | "stale"
  /** No subscription had room. */
  | "queue-full";
