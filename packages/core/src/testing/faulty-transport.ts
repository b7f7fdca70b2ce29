/** A transport that does what bad networks and hostile servers do, repeatably. */

import type { Clock, Timer } from "../async/clock.ts";
import { systemClock } from "../async/clock.ts";
import { onAbort } from "../async/signal.ts";
import type { Envelope } from "../envelope.ts";
import { WiceError } from "../errors.ts";
import type { EnvelopeSubscription, EnvelopeTransport } from "../transport/transport.ts";
import { createSeededRandom, type SeededRandom } from "./random.ts";

/** Probabilities are between 0 and 1; all default to 0. */
export interface Faults {
  /** An envelope that was taken never arrives. */
  readonly loss?: number;
  /** It arrives twice. */
  readonly duplication?: number;
  /** An envelope that was published before, of anybody, is published again along with it. */
  readonly replay?: number;
  /** It is sent back to its sender, as if the recipient had sent it. */
  readonly reflection?: number;
  /** A bit of its body is turned. */
  readonly corruption?: number;
  /** `publish` rejects with `unavailable`, in half of the cases though the envelope was taken. */
  readonly failure?: number;
  /** With each envelope that arrives: its subscription is lost. */
  readonly cut?: number;
  /** Each envelope is late by so much, in milliseconds: it may be overtaken. */
  readonly delayMs?: readonly [least: number, most: number];
}

export interface FaultyTransport extends EnvelopeTransport {
  /** Replaces all faults from now on; `{}` heals the network. */
  inject(faults: Faults): void;
  /** Loses all subscriptions now. */
  cut(): void;
}

export interface FaultyTransportOptions {
  readonly faults?: Faults;
  /** Default 1. */
  readonly seed?: number;
  /** A source that several faulty transports share; overrides the seed. */
  readonly random?: SeededRandom;
  readonly clock?: Clock;
}

const maxRecordings = 1024;

/** Wraps a transport. It owns and closes the wrapped one. */
export function createFaultyTransport(
  transport: EnvelopeTransport,
  options: FaultyTransportOptions = {},
): FaultyTransport {
  const { clock = systemClock, random = createSeededRandom(options.seed ?? 1) } = options;
  let faults = options.faults ?? {};
  let closed = false;
  const recordings: Envelope[] = [];
  const late = new Set<Timer>();
  const cuts = new Set<() => void>();
  const lost = (): WiceError => new WiceError("unavailable", "injected: the connection is lost", { retryable: true });

  const deliver = (envelope: Envelope): void => {
    const [least, most] = faults.delayMs ?? [0, 0];
    const timer = clock.schedule(random.integer(least, most), () => {
      late.delete(timer);
      transport.publish(envelope).catch(() => {});
    });
    late.add(timer);
  };

  const mistreat = (envelope: Envelope): void => {
    const { loss = 0, duplication = 0, replay = 0, reflection = 0, corruption = 0 } = faults;
    if (recordings.length === maxRecordings) recordings[random.integer(0, maxRecordings - 1)] = envelope;
    else recordings.push(envelope);
    const { sender, recipient } = envelope;
    if (!random.chance(loss)) deliver(random.chance(corruption) ? flipBit(envelope, random) : envelope);
    if (random.chance(duplication)) deliver(envelope);
    if (random.chance(reflection)) deliver({ ...envelope, sender: recipient, recipient: sender });
    if (random.chance(replay)) deliver(random.pick(recordings as [Envelope, ...Envelope[]]));
  };

  return {
    inject(next) {
      faults = next;
    },
    cut() {
      for (const cut of [...cuts]) cut();
    },
    async publish(envelope, callOptions) {
      callOptions?.signal?.throwIfAborted();
      if (closed) throw new WiceError("closed", "the transport is closed");
      const { failure = 0 } = faults;
      if (random.chance(failure)) {
        if (random.chance(0.5)) mistreat(envelope);
        throw lost();
      }
      if (Object.keys(faults).length === 0) return transport.publish(envelope, callOptions);
      mistreat(envelope);
      return {};
    },
    async subscribe(recipient, callOptions) {
      const { failure = 0 } = faults;
      if (random.chance(failure)) throw lost();
      const stop = new AbortController();
      const forget = onAbort(callOptions?.signal, () => stop.abort(callOptions?.signal?.reason));
      const cut = (): void => stop.abort(lost());
      let inner: EnvelopeSubscription;
      try {
        inner = await transport.subscribe(recipient, { signal: stop.signal });
      } catch (error) {
        forget();
        throw error;
      }
      cuts.add(cut);
      const end = (): void => {
        cuts.delete(cut);
        forget();
      };
      return {
        async *[Symbol.asyncIterator]() {
          try {
            for await (const envelope of inner) {
              yield envelope;
              if (random.chance(faults.cut ?? 0)) cut();
            }
          } finally {
            end();
          }
        },
        async close() {
          end();
          await inner.close();
        },
      };
    },
    async close() {
      closed = true;
      for (const timer of late) timer.cancel();
      late.clear();
      await transport.close();
    },
  };
}

function flipBit(envelope: Envelope, random: SeededRandom): Envelope {
  const body = new Uint8Array(envelope.body);
  const index = random.integer(0, body.length - 1);
  body[index] = (body[index] as number) ^ (1 << random.integer(0, 7));
  return { ...envelope, body };
}
