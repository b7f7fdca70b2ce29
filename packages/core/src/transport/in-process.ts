/** Envelopes between backends of one process: for tests, examples, and peers that live in one page. */

import { createQueue, type Queue } from "../async/queue.ts";
import { onAbort } from "../async/signal.ts";
import { checkBox, type Envelope } from "../envelope.ts";
import { WiceError } from "../errors.ts";
import type { TransportFactory } from "./registry.ts";
import type { EnvelopeTransport } from "./transport.ts";

/** Where in-process transports meet. Separate networks do not see each other. */
export interface InProcessNetwork {
  /** A transport of its own for one backend. */
  connect(): EnvelopeTransport;
}

export interface InProcessOptions {
  /** Envelopes that wait for one subscriber; when full, the oldest is dropped. Default 1,024. */
  readonly maxQueuedEnvelopes?: number | undefined;
}

/**
 * A network without a wire. Envelopes arrive in order; a subscriber that does not read loses the oldest.
 *
 * ```ts
 * const network = createInProcessNetwork();
 * const [alice, bob] = [createBackend(network.connect()), createBackend(network.connect())];
 * ```
 */
export function createInProcessNetwork({ maxQueuedEnvelopes = 1024 }: InProcessOptions = {}): InProcessNetwork {
  const topics = new Map<string, Set<Queue<Envelope>>>();

  return {
    connect() {
      const mine = new Set<Queue<Envelope>>();
      let closed = false;
      const check = (signal: AbortSignal | undefined): void => {
        signal?.throwIfAborted();
        if (closed) throw new WiceError("closed", "the transport is closed");
      };

      return {
        async publish(envelope, options) {
          check(options?.signal);
          checkBox(envelope.body, envelope.nonce);
          const { sender, recipient } = envelope;
          const topic = topics.get(recipient.toString());
          if (topic === undefined) return { subscribers: 0 };
          // A copy for each, as a wire makes: nobody's later change reaches anybody else.
          for (const queue of topic) {
            const [body, nonce] = [new Uint8Array(envelope.body), new Uint8Array(envelope.nonce)];
            queue.pushDroppingOldest({ sender, recipient, body, nonce });
          }
          return { subscribers: topic.size };
        },

        async subscribe(recipient, options) {
          check(options?.signal);
          const text = recipient.toString();
          const topic = topics.get(text) ?? new Set();
          const queue: Queue<Envelope> = createQueue(maxQueuedEnvelopes, () => {
            forget();
            mine.delete(queue);
            topic.delete(queue);
            if (topic.size === 0) topics.delete(text);
          });
          topics.set(text, topic.add(queue));
          mine.add(queue);
          const forget = onAbort(options?.signal, () => queue.fail(options?.signal?.reason));
          const iterator = queue[Symbol.asyncIterator]();
          return {
            [Symbol.asyncIterator]: () => iterator,
            async close() {
              await iterator.return?.();
            },
          };
        },

        async close() {
          closed = true;
          for (const queue of [...mine]) queue.end();
        },
      };
    },
  };
}

/** `inprocess:NAME`: transports of one registry that name the same network meet. */
export function inProcessFactory(options: InProcessOptions = {}): TransportFactory {
  const networks = new Map<string, InProcessNetwork>();
  return {
    schemes: ["inprocess"],
    open({ href, pathname: name }) {
      if (name === "" || href !== `inprocess:${name}` || name.startsWith("/")) {
        throw new WiceError("invalid-url", "write inprocess:NAME");
      }
      const network = networks.get(name) ?? createInProcessNetwork(options);
      networks.set(name, network);
      return network.connect();
    },
  };
}
