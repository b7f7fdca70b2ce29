/** Envelopes between the tabs, frames and workers of one origin, with no server at all. */

import {
  decodeEnvelope,
  type Envelope,
  type EnvelopeTransport,
  encodeEnvelope,
  type TransportFactory,
  WiceError,
} from "@wice/core";
import { abortable, createQueue, onAbort, type Queue } from "@wice/core/transport";

export interface BroadcastTransportOptions {
  /** Transports that name the same channel meet. Default `"wice"`. */
  readonly channel?: string | undefined;
  /** Envelopes that wait for one subscription; when full, the oldest is dropped. Default 1,024. */
  readonly maxQueuedEnvelopes?: number | undefined;
}

/**
 * A transport over a `BroadcastChannel`. It works offline, and does not know how many subscribers there are.
 *
 * Throws `unsupported` where the platform has no BroadcastChannel. Calls reject with `invalid-envelope` and `closed`.
 *
 * ```ts
 * const backend = createBackend(createBroadcastTransport({ channel: "chess" }));
 * ```
 */
export function createBroadcastTransport(options: BroadcastTransportOptions = {}): EnvelopeTransport {
  const { channel: name = "wice", maxQueuedEnvelopes = 1024 } = options;
  if (typeof BroadcastChannel !== "function")
    throw new WiceError("unsupported", "this platform has no BroadcastChannel; use a relay");
  const topics = new Map<string, Set<Queue<Envelope>>>();
  const closing = new AbortController();
  const channel = new BroadcastChannel(`wice 1 envelopes ${name}`);
  let heard: Promise<void> | undefined;

  const deliver = (bytes: unknown): void => {
    let envelope: Envelope;
    try {
      envelope = decodeEnvelope(bytes as Uint8Array);
    } catch {
      return;
    }
    for (const queue of topics.get(envelope.recipient.toString()) ?? []) queue.pushDroppingOldest(envelope);
  };
  channel.onmessage = ({ data }: MessageEvent) => deliver(data);

  const check = (signal: AbortSignal | undefined): void => {
    signal?.throwIfAborted();
    closing.signal.throwIfAborted();
  };

  return {
    async publish(envelope, { signal } = {}) {
      check(signal);
      const bytes = encodeEnvelope(envelope);
      channel.postMessage(bytes);
      // A channel does not hear itself.
      deliver(bytes);
      return {};
    },

    async subscribe(recipient, { signal } = {}) {
      check(signal);
      heard ??= hearing(channel, closing.signal);
      await abortable(heard, signal);
      check(signal);
      const text = recipient.toString();
      const topic = topics.get(text) ?? new Set();
      const queue: Queue<Envelope> = createQueue(maxQueuedEnvelopes, () => {
        for (const forget of forgets) forget();
        topic.delete(queue);
        if (topic.size === 0 && topics.get(text) === topic) topics.delete(text);
      });
      topics.set(text, topic.add(queue));
      const forgets = [onAbort(signal, () => queue.fail(signal?.reason)), onAbort(closing.signal, () => queue.end())];
      const iterator = queue[Symbol.asyncIterator]();
      return {
        [Symbol.asyncIterator]: () => iterator,
        async close() {
          await iterator.return?.();
        },
      };
    },

    async close() {
      closing.abort(new WiceError("closed", "the transport is closed"));
      channel.close();
    },
  };
}

/** `broadcast:NAME`, or `broadcast:` for the default channel. */
export function broadcastFactory(options: Omit<BroadcastTransportOptions, "channel"> = {}): TransportFactory {
  return {
    schemes: ["broadcast"],
    open({ href, pathname }) {
      const name = decoded(pathname);
      if (name === undefined || href !== `broadcast:${pathname}` || pathname.startsWith("/"))
        throw new WiceError("invalid-url", "write broadcast:NAME");
      return createBroadcastTransport({ ...options, ...(name !== "" && { channel: name }) });
    },
  };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * Resolves when other tabs' messages arrive here: a new channel is made known to the browser's other processes in its
 * own time. A second channel says a word, and the first has to hear it. Resolves as well when the signal aborts.
 */
function hearing(channel: BroadcastChannel, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const word = `hearing ${Math.random()}`;
    const other = new BroadcastChannel(channel.name);
    const end = (): void => {
      forget();
      channel.removeEventListener("message", listen);
      other.close();
      resolve();
    };
    const listen = ({ data }: MessageEvent): void => {
      if (data === word) end();
    };
    channel.addEventListener("message", listen);
    const forget = onAbort(signal, end);
    other.postMessage(word);
  });
}
