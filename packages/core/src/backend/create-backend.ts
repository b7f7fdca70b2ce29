/** A backend over any transport: sealing, opening, retries, receipts and replays are written once, here. */

import { create } from "@bufbuild/protobuf";
import { type BackoffOptions, createBackoff, retryDelay } from "../async/backoff.ts";
import { type Clock, systemClock } from "../async/clock.ts";
import { disposable } from "../async/disposable.ts";
import { createQueue, type Queue } from "../async/queue.ts";
import { onAbort, sleep } from "../async/signal.ts";
import { createTokenBucket } from "../async/token-bucket.ts";
import { type RandomBytes, randomBytes, toHex } from "../bytes.ts";
import type { Envelope } from "../envelope.ts";
import { isWiceError, WiceError } from "../errors.ts";
import { PeerDescriptionSchema } from "../gen/cunicu/pdisc/pdisc_pb.ts";
import { encodeMessage, type MessageInit, withFields } from "../message.ts";
import type { KeyPair, PrivateKey } from "../private-key.ts";
import type { EnvelopeTransport, TransportReceipt } from "../transport/transport.ts";
import { createTypedTransport } from "../transport/typed-transport.ts";
import type { Backend, BackendStatus, DropReason, PublishOptions } from "./backend.ts";
import { checkOptions, checkPublication } from "./checks.ts";
import { createMailbox, type Mailbox } from "./mailbox.ts";

export interface BackendOptions {
  /** The largest envelope that the transport carries, in bytes. Default 65,536. */
  readonly maxEnvelopeBytes?: number | undefined;
  /** How long a key stays subscribed after its last use, in milliseconds. Default 10,000. */
  readonly lingerMs?: number | undefined;
  /**
   * Delays between tries to publish, to subscribe, and to get a receipt, of which the first grows with the time that
   * receipts take. Default 250 ms to 4,000 ms.
   */
  readonly retry?: BackoffOptions | undefined;
  /** Key agreements that unknown senders may cause. Default a burst of 64, then 32 a second. */
  readonly strangers?: { readonly burst: number; readonly perSecond: number } | undefined;
  /** Peers remembered per key of ours: named by the application, and not. Default 16,384 and 1,024. */
  readonly maxKnownPeers?: number | undefined;
  readonly maxStrangers?: number | undefined;
  /** Time and randomness, for tests. Default: the platform's. */
  readonly clock?: Clock | undefined;
  readonly random?: RandomBytes | undefined;
}

const statusLimit = 64;

/**
 * A backend over a transport, which it owns and closes.
 *
 * ```ts
 * const backend = createBackend(createGrpcTransport({ url: "http://127.0.0.1:8080" }));
 * await backend.publish({ ours, theirs }, { payload: new TextEncoder().encode("hello") });
 * for await (const { sender, message } of await backend.subscribe({ ours, theirs: PublicKey.any })) …
 * ```
 */
export function createBackend(given: EnvelopeTransport, options: BackendOptions = {}): Backend {
  checkOptions(options);
  const transport = createTypedTransport(given);
  const clock = options.clock ?? systemClock;
  const random = options.random ?? randomBytes;
  const retry = options.retry ?? { initialMs: 250, maxMs: 4000 };
  const instance = toHex(random(16));
  const strangers = options.strangers ?? { burst: 64, perSecond: 32 };
  const strangerBudget = createTokenBucket(clock, strangers.burst, strangers.perSecond);
  const mailboxes = new Map<string, Mailbox>();
  const observers = new Set<Queue<BackendStatus>>();
  const dropped: Record<DropReason, number> = {
    ...{ "wrong-recipient": 0, unwanted: 0, throttled: 0, forged: 0, malformed: 0, reflected: 0 },
    ...{ "other-instance": 0, duplicate: 0, stale: 0, "queue-full": 0 },
  };
  const closing = new AbortController();
  let closed: Promise<void> | undefined;

  const tell = (status: BackendStatus): void => {
    for (const observer of observers) observer.pushDroppingOldest(status);
  };

  const mailbox = (ours: PrivateKey): Mailbox => {
    const text = ours.publicKey.toString();
    const found = mailboxes.get(text);
    if (found !== undefined) return found;
    const made = createMailbox(ours, {
      ...{ clock, random, retry, transport, instance, strangerBudget },
      lingerMs: options.lingerMs ?? 10_000,
      maxEnvelopeBytes: options.maxEnvelopeBytes ?? 65_536,
      maxKnown: options.maxKnownPeers ?? 16_384,
      maxStrangers: options.maxStrangers ?? 1024,
      onStatus: tell,
      onDrop(reason) {
        dropped[reason] += 1;
      },
    });
    mailboxes.set(text, made);
    return made;
  };

  const check = (pair: KeyPair, { signal }: { readonly signal?: AbortSignal | undefined }): void => {
    signal?.throwIfAborted();
    if (closed !== undefined) throw new WiceError("closed", "the backend is closed");
    if (pair.ours.publicKey.equals(pair.theirs)) {
      throw new WiceError("equal-keys", "both keys of the pair are the same; a peer cannot signal to itself");
    }
  };

  /** Hands an envelope over, again after passing failures. */
  const handOver = async (envelope: Envelope, signal: AbortSignal): Promise<TransportReceipt> => {
    const delays = createBackoff(retry, random);
    for (;;) {
      try {
        return await transport.publish(envelope, { signal });
      } catch (error) {
        if (signal.aborted || !isWiceError(error) || !error.retryable) throw error;
        latest.set(signal, error);
        const retryInMs = retryDelay(delays, error.retryAfterMs);
        tell({ type: "retrying", error, retryInMs });
        await sleep(clock, retryInMs, signal);
      }
    }
  };
  /** The failure that a call is retrying after: what its timeout reports. */
  const latest = new WeakMap<AbortSignal, WiceError>();

  /** Runs a call under the caller's signal, the timeout and the end of the backend. */
  const bounded = async <T>(
    { signal, timeoutMs = 30_000 }: PublishOptions,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const scope = new AbortController();
    const timer = clock.schedule(timeoutMs, () => {
      const cause = latest.get(scope.signal);
      const why = cause === undefined ? "" : `: ${cause.message}`;
      scope.abort(new WiceError("unavailable", `not done within ${timeoutMs} ms${why}`, { cause, retryable: true }));
    });
    const removers = [
      onAbort(signal, () => scope.abort(signal?.reason)),
      onAbort(closing.signal, () => scope.abort(closing.signal.reason)),
    ];
    try {
      return await call(scope.signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      timer.cancel();
      for (const remove of removers) remove();
      scope.abort(new WiceError("closed", "the call is over"));
    }
  };

  return disposable<Omit<Backend, typeof Symbol.asyncDispose>>({
    instance,

    async publish(pair, message, publishOptions = {}) {
      check(pair, publishOptions);
      checkPublication(pair, message, publishOptions);
      const { group, until, recipientInstance } = publishOptions;
      const content = encodeContent(message, group === true);
      return bounded(publishOptions, async (signal) => {
        const box = mailbox(pair.ours);
        if (until === "delivered") return box.deliver(pair.theirs, content, { signal, recipientInstance });
        const envelope = await box.seal(pair.theirs, content, { signal, recipientInstance });
        const { subscribers } = await handOver(envelope, signal);
        return { subscribers };
      });
    },

    async subscribe(pair, subscribeOptions = {}) {
      check(pair, subscribeOptions);
      checkOptions({ maxQueuedMessages: subscribeOptions.maxQueuedMessages });
      return mailbox(pair.ours).subscribe(pair.theirs, subscribeOptions);
    },

    status() {
      const observer: Queue<BackendStatus> = createQueue(statusLimit, () => observers.delete(observer));
      if (closed === undefined) observers.add(observer);
      else observer.end();
      return observer;
    },

    counters: () => ({ ...dropped }),

    close() {
      closed ??= (async () => {
        closing.abort(new WiceError("closed", "the backend is closed"));
        for (const observer of [...observers]) observer.end();
        await Promise.all([...mailboxes.values()].map((box) => box.close()));
        await transport.close();
      })();
      return closed;
    },
  });
}

/** The bytes of a message, taken at once: what the caller does to it later changes nothing. */
function encodeContent(message: MessageInit, group: boolean): Uint8Array {
  // Go daemons crash on a message to a group key that has no peer.
  const crashes = group && message.peer === undefined;
  return encodeMessage(crashes ? withFields(message, { peer: create(PeerDescriptionSchema) }) : message);
}
