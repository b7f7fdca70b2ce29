/** A transport whose failures and quiet can be seen, for a person who waits. */

import { type EnvelopeTransport, isWiceError, type WiceError } from "@wice/core";

export interface ObservedTransport extends EnvelopeTransport {
  /** Resolves when no publish is under way. */
  idle(): Promise<void>;
}

export interface TransportObserver {
  /** A publish failed in passing; the backend tries again. */
  onRetry?(error: WiceError): void;
  /** A publish was taken, and nobody was there to get it. */
  onNobody?(): void;
}

export function observeTransport(transport: EnvelopeTransport, observer: TransportObserver = {}): ObservedTransport {
  const pending = new Set<Promise<unknown>>();
  return {
    publish(envelope, options) {
      const published = transport.publish(envelope, options);
      const observed = published.then(
        ({ subscribers }) => {
          if (subscribers === 0) observer.onNobody?.();
        },
        (error: unknown) => {
          if (isWiceError(error) && error.retryable) observer.onRetry?.(error);
        },
      );
      pending.add(observed);
      observed.finally(() => pending.delete(observed));
      return published;
    },
    subscribe: (recipient, options) => transport.subscribe(recipient, options),
    close: () => transport.close(),
    async idle() {
      // What was just decided to be sent is sealed first.
      await new Promise((resolve) => setTimeout(resolve, 20));
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}
