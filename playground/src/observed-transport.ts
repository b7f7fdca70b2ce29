/** A transport that shows which envelopes it carries. */

import type { Envelope, EnvelopeTransport, TransportReceipt } from "@wice/core";

export interface TransportObserver {
  /** An envelope is handed to the relay. When that fails in passing, the same one comes again. */
  sending(envelope: Envelope, sent: Promise<TransportReceipt>): void;
  /** An envelope came from the relay. */
  arrived(envelope: Envelope): void;
}

export function observeTransport(transport: EnvelopeTransport, observer: TransportObserver): EnvelopeTransport {
  return {
    publish(envelope, options) {
      const sent = transport.publish(envelope, options);
      observer.sending(envelope, sent);
      return sent;
    },
    async subscribe(recipient, options) {
      const subscription = await transport.subscribe(recipient, options);
      async function* envelopes(): AsyncGenerator<Envelope> {
        for await (const envelope of subscription) {
          observer.arrived(envelope);
          yield envelope;
        }
      }
      return { [Symbol.asyncIterator]: envelopes, close: () => subscription.close() };
    },
    close: () => transport.close(),
  };
}
