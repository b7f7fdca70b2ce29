/** A relay as an envelope transport, for pages. */

import { type Envelope, type EnvelopeTransport, WiceError } from "@wice/core";
import { abortable, createQueue, onAbort, type Queue } from "@wice/core/transport";
import { createCrowd } from "./crowd.ts";
import { createKeyStream, type KeyStream } from "./key-stream.ts";
import { listenOpener } from "./listen-stream.ts";
import { type ConnectTransportOptions, resolveSettings } from "./options.ts";
import { createRelayClient } from "./relay-client.ts";
import { canShare, createSharedKeyStream } from "./shared-key-stream.ts";
import { watchSleep } from "./sleep.ts";

/** An {@link EnvelopeTransport} that counts what it had to drop. */
export interface ConnectTransport extends EnvelopeTransport {
  readonly dropped: ConnectDropped;
}

/** What subscriptions dropped so far; it ends nothing. */
export interface ConnectDropped {
  /** A relay's or a stranger's fault: no envelopes, or larger than `maxEnvelopeBytes`. */
  readonly malformed: number;
  /** The application did not read: more than 1,024 envelopes waited, and the oldest went. */
  readonly overflowed: number;
}

/** Envelopes that wait for the application. */
const queueLimit = 1_024;

/**
 * Speaks to a wice relay in Connect or gRPC-Web, with `fetch` alone. However many keys are subscribed, one stream is
 * open; it is replaced when the keys change, when the network comes back and when the page wakes up. Every call is one
 * try, so give it to `createBackend`, which tries again.
 *
 * Throws `invalid-url`, `invalid-argument`, and `unsupported` where `shareStream` is asked for and cannot be had. Calls
 * reject with
 * - `unavailable`, retryable: offline, refused, broken, silent or shutting down; not retryable: plain HTTP from a page
 *   that was loaded over https;
 * - `resource-exhausted`, retryable: a quota is full, or too many tabs without a shared stream;
 * - `too-large`, `invalid-envelope`, `unauthenticated`, `permission-denied`, `unsupported`: refused;
 * - `protocol`: something answered that is no relay, such as a proxy or the login page of a network;
 * - `closed`: the transport was closed.
 *
 * ```ts
 * const backend = createBackend(createConnectTransport({ url: "https://relay.example.org" }));
 * ```
 */
export function createConnectTransport(options: ConnectTransportOptions): ConnectTransport {
  const settings = resolveSettings(options);
  const { baseUrl, where, protocol, secure, clock } = settings;
  const closing = new AbortController();
  const dropped = { malformed: 0, overflowed: 0 };
  const client = createRelayClient(settings);
  const openStream = listenOpener(settings, client, () => {
    dropped.malformed += 1;
  });
  const openOwn = (): KeyStream => createKeyStream(openStream, clock);

  if (options.shareStream === true && !canShare())
    throw new WiceError("unsupported", "no stream can be shared here: the platform has no Web Locks; use https");
  const shares = settings.shareStream ?? (!secure && canShare());
  const name = `wice 1 ${protocol} ${baseUrl}`;
  const stream = shares ? createSharedKeyStream(name, openOwn, clock) : openOwn();
  // The limit is the browser's, for each host.
  const crowd = shares || secure ? undefined : createCrowd(`wice 1 streams ${where}`, clock);
  const stopWatching = watchSleep({ onSleep: () => stream.sleep(), onWake: () => stream.renew() });

  const check = (signal: AbortSignal | undefined): void => {
    signal?.throwIfAborted();
    closing.signal.throwIfAborted();
  };

  const enter = async (signal: AbortSignal | undefined): Promise<void> => {
    if (crowd === undefined) return;
    try {
      await abortable(abortable(crowd.enter(), signal), closing.signal);
    } catch (error) {
      crowd.leave();
      throw error;
    }
  };

  return {
    dropped,

    async publish(envelope, { signal } = {}) {
      check(signal);
      // A signal for this call alone: what the client library leaves on it goes with it.
      const call = new AbortController();
      const forgets = [signal, closing.signal].map((each) => onAbort(each, () => call.abort(each?.reason)));
      try {
        return await client.publish(envelope, call.signal);
      } finally {
        for (const forget of forgets) forget();
      }
    },

    async subscribe(recipient, { signal } = {}) {
      check(signal);
      await enter(signal);
      return await new Promise((resolve, reject) => {
        const ends: (() => void)[] = [() => crowd?.leave()];
        const queue: Queue<Envelope> = createQueue(queueLimit, () => {
          for (const end of ends.splice(0)) end();
        });
        const iterator = queue[Symbol.asyncIterator]();
        const subscription = {
          [Symbol.asyncIterator]: () => iterator,
          async close() {
            await iterator.return?.();
          },
        };
        /** Something may have ended it while it was being made. */
        const whenOver = (end: () => void): void => {
          if (ends.length === 0) end();
          else ends.push(end);
        };
        const leave = stream.join(recipient, {
          onLive: () => resolve(subscription),
          onEnvelope(envelope) {
            if (!queue.pushDroppingOldest(envelope)) dropped.overflowed += 1;
          },
          onEnd(error) {
            // Of the two, only the one that matters has an effect.
            queue.fail(error);
            reject(error);
          },
        });
        whenOver(leave);
        for (const each of [signal, closing.signal])
          whenOver(
            onAbort(each, () => {
              if (each === closing.signal) queue.end();
              else queue.fail(each?.reason);
              reject(each?.reason);
            }),
          );
      });
    },

    async close() {
      closing.abort(new WiceError("closed", "the transport is closed"));
      stopWatching();
      stream.close();
    },
  };
}
