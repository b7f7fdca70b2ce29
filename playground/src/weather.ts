/** What a network does to envelopes, at the page's will, and an observer that sees all of it. */

import { type Envelope, type EnvelopeTransport, type TransportReceipt, WiceError } from "@wice/core";

/** Shares are between 0 and 1. */
export interface Weather {
  /** Never arrives, though the relay seems to have taken it. */
  loss: number;
  /** Arrives twice. */
  duplication: number;
  /** Is held back for a moment, so that others overtake it. */
  reordering: number;
  /** Each is late by so much. */
  delayMs: number;
  /** Nothing goes through, and subscriptions are lost. */
  cut: boolean;
}

export interface TransportObserver {
  /** An envelope is handed to the relay. When that fails in passing, the same one comes again. */
  sending(envelope: Envelope, sent: Promise<TransportReceipt>): void;
  /** The weather has taken it. */
  dropped(envelope: Envelope): void;
  /** An envelope came from the relay. */
  arrived(envelope: Envelope): void;
}

export interface WeatheredTransport extends EnvelopeTransport {
  /** Loses all subscriptions now. */
  cut(): void;
}

export const clearWeather: Readonly<Weather> = { loss: 0, duplication: 0, reordering: 0, delayMs: 0, cut: false };

const holdMs = 400;

/** The weather is asked for with each envelope. It owns the transport. */
export function weatherTransport(
  transport: EnvelopeTransport,
  weather: () => Readonly<Weather>,
  observer: TransportObserver,
): WeatheredTransport {
  const cuts = new Set<() => void>();
  const late = new Set<ReturnType<typeof setTimeout>>();

  const handOver = async (...[envelope, options]: Parameters<EnvelopeTransport["publish"]>) => {
    // The observer hears of what becomes of it after it has heard of it.
    await undefined;
    const { cut, loss, reordering, delayMs } = weather();
    if (cut) throw lost();
    if (Math.random() < loss) {
      observer.dropped(envelope);
      return {};
    }
    const lateMs = delayMs + (Math.random() < reordering ? Math.random() * holdMs : 0);
    if (lateMs === 0) return await transport.publish(envelope, options);
    const timer = setTimeout(() => {
      late.delete(timer);
      if (weather().cut) return observer.dropped(envelope);
      // As a network does: whoever sent it hears nothing of its fate.
      transport.publish(envelope).catch(() => observer.dropped(envelope));
    }, lateMs);
    late.add(timer);
    return {};
  };

  return {
    publish(envelope, options) {
      const sent = handOver(envelope, options);
      observer.sending(envelope, sent);
      return sent;
    },
    async subscribe(recipient, options) {
      if (weather().cut) throw lost();
      const subscription = await transport.subscribe(recipient, options);
      const source = subscription[Symbol.asyncIterator]();
      let isCut = weather().cut;
      let fail = (_: WiceError): void => {};
      const cut = (): void => {
        isCut = true;
        fail(lost());
      };
      cuts.add(cut);
      // Each wait has a promise of its own: one that all of them raced against would keep every envelope that has come.
      const next = (): Promise<IteratorResult<Envelope>> =>
        new Promise((resolve, reject) => {
          if (isCut) return reject(lost());
          fail = reject;
          source.next().then(resolve, reject);
        });
      const close = (): Promise<void> => {
        cuts.delete(cut);
        return subscription.close();
      };
      async function* envelopes(): AsyncGenerator<Envelope> {
        try {
          for (;;) {
            const { done, value } = await next();
            if (done === true) return;
            observer.arrived(value);
            yield value;
            if (Math.random() >= weather().duplication) continue;
            observer.arrived(value);
            yield value;
          }
        } finally {
          void close();
        }
      }
      return { [Symbol.asyncIterator]: envelopes, close };
    },
    cut() {
      for (const cut of cuts) cut();
    },
    async close() {
      for (const timer of late) clearTimeout(timer);
      late.clear();
      await transport.close();
    },
  };
}

function lost(): WiceError {
  return new WiceError("unavailable", "the page has cut the connection", { retryable: true });
}
