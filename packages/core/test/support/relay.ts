/** A relay in the hands of the test: it reads, holds back, repeats and makes up envelopes. */

import { createInProcessNetwork, type Envelope, type EnvelopeTransport } from "@wice/core";

export interface TestRelay {
  /** Every envelope that anybody published, in order. */
  readonly log: Envelope[];
  /** Subscriptions of transports that are open now. */
  readonly subscriptions: number;
  /** Decides what becomes of an envelope; passes all by default. */
  filter: (envelope: Envelope) => boolean;
  /** Hands an envelope to whoever is subscribed, as if published. */
  inject(envelope: Envelope): Promise<void>;
  /** A transport; `overrides` replace single methods of it. */
  connect(overrides?: (transport: EnvelopeTransport) => Partial<EnvelopeTransport>): EnvelopeTransport;
}

export function createTestRelay(): TestRelay {
  const network = createInProcessNetwork({ maxQueuedEnvelopes: 100_000 });
  const outside = network.connect();
  const log: Envelope[] = [];
  let subscriptions = 0;

  const relay = {
    log,
    filter: (_: Envelope): boolean => true,
    get subscriptions() {
      return subscriptions;
    },
    async inject(envelope: Envelope) {
      await outside.publish(envelope);
    },
    connect(overrides: (transport: EnvelopeTransport) => Partial<EnvelopeTransport> = () => ({})): EnvelopeTransport {
      const inner = network.connect();
      const transport: EnvelopeTransport = {
        ...inner,
        async publish(envelope, options) {
          options?.signal?.throwIfAborted();
          log.push(envelope);
          return relay.filter(envelope) ? inner.publish(envelope, options) : {};
        },
        async subscribe(recipient, options) {
          const subscription = await inner.subscribe(recipient, options);
          subscriptions += 1;
          let open = true;
          const end = (): void => {
            if (open) subscriptions -= 1;
            open = false;
          };
          options?.signal?.addEventListener("abort", end, { once: true });
          return {
            async *[Symbol.asyncIterator]() {
              try {
                yield* subscription;
              } finally {
                end();
                options?.signal?.removeEventListener("abort", end);
              }
            },
            async close() {
              end();
              await subscription.close();
            },
          };
        },
      };
      return { ...transport, ...overrides(transport) };
    },
  };
  return relay;
}
