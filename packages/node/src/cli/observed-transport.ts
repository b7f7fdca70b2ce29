/** A transport whose failures and quiet can be seen, for a person who waits. */

import { type EnvelopeTransport, isWiceError, type WiceError } from "@wice/core";

export interface ObservedTransport extends EnvelopeTransport {
  /** Why the latest call failed in passing; undefined once one has worked again. */
  readonly failure: WiceError | undefined;
  /** Resolves when no publish is under way. */
  idle(): Promise<void>;
}

export interface TransportObserver {
  /** A call failed in passing; the backend tries again. */
  onRetry?(error: WiceError): void;
  /** A publish was taken, and nobody was there to get it. */
  onNobody?(): void;
}

export function observeTransport(transport: EnvelopeTransport, observer: TransportObserver = {}): ObservedTransport {
  const pending = new Set<Promise<unknown>>();
  let failure: WiceError | undefined;
  const works = (): void => {
    failure = undefined;
  };
  const fails = (error: unknown): void => {
    if (!isWiceError(error) || !error.retryable) return;
    failure = error;
    observer.onRetry?.(error);
  };
  return {
    get failure() {
      return failure;
    },
    publish(envelope, options) {
      const published = transport.publish(envelope, options);
      const observed = published.then(({ subscribers }) => {
        works();
        if (subscribers === 0) observer.onNobody?.();
      }, fails);
      pending.add(observed);
      observed.finally(() => pending.delete(observed));
      return published;
    },
    subscribe(recipient, options) {
      const subscribed = transport.subscribe(recipient, options);
      subscribed.then(works, fails);
      return subscribed;
    },
    close: () => transport.close(),
    async idle() {
      // What was just decided to be sent is sealed first.
      await new Promise((resolve) => setTimeout(resolve, 20));
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}
