/** `until: "delivered"` towards one peer: which instance is there, what it has not acknowledged, when to send again. */

import type { Backoff, BackoffOptions } from "../async/backoff.ts";
import type { Clock, Timer } from "../async/clock.ts";
import { onAbort } from "../async/signal.ts";
import type { RandomBytes } from "../bytes.ts";
import { isWiceError, WiceError } from "../errors.ts";
import type { Instance, PublishReceipt } from "./backend.ts";
import { replayWindowSize } from "./replay-window.ts";
import { createRoundTrip } from "./round-trip.ts";

/** Unacknowledged messages never span more than this, so that none falls out of the recipient's window. */
const maxSpan = Math.floor(replayWindowSize / 2);
/** After so many unanswered tries we ask whether the instance is still there. */
const patience = 2;
/** An empty message. */
const nothing: Uint8Array = new Uint8Array();

export interface OutboxDependencies {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly retry: BackoffOptions;
  /** One try; asks for acknowledgement. */
  send(content: Uint8Array, to: Destination, signal: AbortSignal): Promise<unknown>;
  /** Why no receipt could be heard now, if so. */
  deafness(): WiceError | undefined;
  /** The next sequence number of those that ask for acknowledgement. */
  nextSequence(): number;
}

export interface Destination {
  readonly sequence: number;
  /** Undefined: any instance. */
  readonly recipientInstance: Instance | undefined;
}

export interface DeliverOptions {
  /** Ends the delivery, for whatever reason. */
  readonly signal: AbortSignal;
  /** Undefined: the instance that answers first. */
  readonly recipientInstance: Instance | undefined;
}

export interface Outbox {
  /** A delivery is pending: receipts of this peer are wanted. */
  readonly busy: boolean;
  /** Resolves when an instance took the message. Rejects with `not-delivered`, `delivery-unknown` or a refusal. */
  deliver(content: Uint8Array, options: DeliverOptions): Promise<PublishReceipt>;
  /** `from` has taken the messages of these sequence numbers. */
  acknowledged(from: Instance, sequences: readonly number[]): void;
  /** `from` has sent something that proves that it lives. */
  heard(from: Instance): void;
  /** Sends again at once what waits: the way to the peer was just made anew. */
  hurry(): void;
}

/** Something that asks for a receipt, and is sent until one comes. */
interface Attempts {
  sending: boolean;
  /** To the same destination so far, and when the latest began. */
  tries: number;
  triedAt: number;
  delays: Backoff;
  dueAt: number;
}

interface Delivery extends Attempts {
  readonly content: Uint8Array;
  readonly sequence: number;
  readonly options: DeliverOptions;
  readonly resolve: (receipt: PublishReceipt) => void;
  readonly reject: (error: unknown) => void;
  /** An attempt went out: somebody may have taken it, now or later. */
  exposed: boolean;
  sentTo: Instance | undefined;
}

interface Question extends Attempts {
  readonly stop: AbortController;
}

export function createOutbox({ clock, random, retry, send, deafness, nextSequence }: OutboxDependencies): Outbox {
  const deliveries = new Map<number, Delivery>();
  const roundTrip = createRoundTrip(retry, random);
  /** Deliveries for which there is no room yet. */
  const waiting = new Set<() => void>();
  let newest = 0;
  /** The sequence number of the latest question. */
  let questioned = 0;
  /** The instance that deliveries go to. */
  let target: Instance | undefined;
  /** The target leaves messages unacknowledged, and has not answered since. */
  let suspect = false;
  /** Another instance, which answered while the target was suspect. */
  let candidate: Instance | undefined;
  let question: Question | undefined;
  let alarm: { readonly at: number; readonly timer: Timer } | undefined;

  const untried = (): Attempts => ({ sending: false, tries: 0, triedAt: 0, delays: roundTrip.delays(), dueAt: 0 });
  const begin = (attempts: Attempts): void => {
    attempts.sending = true;
    attempts.tries += 1;
    attempts.triedAt = clock.now();
  };
  const end = (attempts: Attempts): void => {
    const now = clock.now();
    attempts.sending = false;
    // The answer has the same way to come.
    const least = Math.min(2 * (now - attempts.triedAt), retry.maxMs);
    attempts.dueAt = now + Math.max(attempts.delays.next(), least);
  };

  const wakeAt = (at: number): void => {
    if (alarm !== undefined) {
      if (alarm.at <= at) return;
      alarm.timer.cancel();
    }
    const timer = clock.schedule(Math.max(0, at - clock.now()), () => {
      alarm = undefined;
      for (const delivery of deliveries.values()) advance(delivery);
    });
    alarm = { at, timer };
  };

  /** Sends a delivery that is due, or finds out first where to. */
  const advance = (delivery: Delivery): void => {
    const fixed = delivery.options.recipientInstance;
    if (fixed === undefined && (target === undefined || suspect)) ask();
    const to = fixed ?? target;
    if (to === undefined || delivery.sending) return;
    if (to !== delivery.sentTo) {
      delivery.sentTo = to;
      delivery.tries = 0;
      delivery.delays = roundTrip.delays();
    } else if (delivery.dueAt > clock.now()) {
      wakeAt(delivery.dueAt);
      return;
    } else if (delivery.tries >= patience && fixed === undefined) {
      suspect = true;
      ask();
    }
    void transmit(delivery, to);
  };

  const transmit = async (delivery: Delivery, recipientInstance: Instance): Promise<void> => {
    const { content, sequence, options } = delivery;
    begin(delivery);
    delivery.exposed = true;
    try {
      // That it went to nobody is a server's word: it may have kept the envelope, or lie.
      await send(content, { sequence, recipientInstance }, options.signal);
    } catch (error) {
      // Nor does a refusal prove anything: a server may refuse what it has passed on.
      if (!isWiceError(error) || !error.retryable) fail(delivery, error);
    }
    end(delivery);
    if (deliveries.has(sequence)) advance(delivery);
  };

  /** Sends empty messages, which any instance answers, until one does. */
  const ask = (): void => {
    question ??= { stop: new AbortController(), ...untried() };
    if (question.sending) return;
    if (question.dueAt > clock.now()) wakeAt(question.dueAt);
    else void pose(question);
  };

  const pose = async (asked: Question): Promise<void> => {
    if (candidate !== undefined) {
      // The target had the time of one question to answer, and did not.
      retarget(candidate);
      return;
    }
    begin(asked);
    // A number of its own for each question would, in time, push pending deliveries out of the recipient's window; who
    // has taken a question answers it again under the same number.
    if (span() < maxSpan / 2 || newest - questioned >= maxSpan) {
      newest = nextSequence();
      questioned = newest;
    }
    try {
      await send(nothing, { sequence: questioned, recipientInstance: undefined }, asked.stop.signal);
    } catch (error) {
      if (question === asked && (!isWiceError(error) || !error.retryable)) {
        for (const delivery of deliveries.values()) if (delivery.sentTo === undefined) fail(delivery, error);
      }
    }
    end(asked);
    if (question === asked) wakeAt(asked.dueAt);
  };

  const stopAsking = (): void => {
    question?.stop.abort();
    question = undefined;
    candidate = undefined;
    suspect = false;
  };

  const retarget = (instance: Instance): void => {
    stopAsking();
    if (target === instance) return;
    target = instance;
    for (const delivery of deliveries.values()) advance(delivery);
  };

  const remove = (delivery: Delivery): boolean => {
    const removed = deliveries.delete(delivery.sequence);
    admit();
    if (deliveries.size === 0) {
      stopAsking();
      alarm?.timer.cancel();
      alarm = undefined;
    }
    return removed;
  };

  const fail = (delivery: Delivery, cause: unknown): void => {
    if (remove(delivery)) delivery.reject(undelivered(delivery.exposed, cause, deafness()));
  };

  const span = (): number => newest - (deliveries.keys().next().value ?? newest);

  /** Starts what waits, first come first, for as long as there is room. */
  const admit = (): void => {
    for (const start of waiting) {
      if (span() >= maxSpan) return;
      waiting.delete(start);
      start();
    }
  };

  return {
    get busy() {
      return deliveries.size > 0;
    },
    deliver(content, options) {
      const { signal } = options;
      return new Promise<PublishReceipt>((resolve, reject) => {
        if (signal.aborted) {
          reject(undelivered(false, signal.reason, deafness()));
          return;
        }
        let delivery: Delivery | undefined;
        const forget = onAbort(signal, () => {
          if (delivery !== undefined) {
            fail(delivery, signal.reason);
          } else if (waiting.delete(start)) {
            forget();
            reject(undelivered(false, signal.reason, deafness()));
          }
        });
        const start = (): void => {
          newest = nextSequence();
          delivery = {
            ...{ content, sequence: newest, options, exposed: false, sentTo: undefined },
            ...untried(),
            resolve(receipt) {
              forget();
              resolve(receipt);
            },
            reject(error) {
              forget();
              reject(error);
            },
          };
          deliveries.set(delivery.sequence, delivery);
          advance(delivery);
        };
        waiting.add(start);
        admit();
      });
    },
    acknowledged(from, sequences) {
      for (const sequence of sequences) {
        const delivery = deliveries.get(sequence);
        const answered = delivery ?? (sequence === questioned ? question : undefined);
        if (answered !== undefined) roundTrip.took(clock.now() - answered.triedAt, answered.tries);
        if (delivery !== undefined && remove(delivery)) delivery.resolve({ instance: from });
      }
      if (target === undefined || from === target) retarget(from);
      else candidate = suspect ? (candidate ?? from) : undefined;
    },
    heard(from) {
      if (target === undefined) retarget(from);
    },
    hurry() {
      if (question !== undefined) question.dueAt = 0;
      for (const delivery of deliveries.values()) {
        const to = delivery.options.recipientInstance ?? target;
        if (to === undefined) advance(delivery);
        else if (!delivery.sending) void transmit(delivery, to);
      }
    },
  };
}

/**
 * The error of a delivery that ended without a receipt.
 *
 * @param exposed an attempt may have reached somebody
 * @param loss why no receipt could be heard
 */
export function undelivered(exposed: boolean, cause: unknown, loss: WiceError | undefined): unknown {
  if (!exposed && isWiceError(cause) && !cause.retryable && cause.code !== "closed") return cause;
  const why = loss === undefined ? "" : `: ${loss.message}`;
  if (exposed) {
    const text = `no receipt came${why}; the recipient may or may not have taken the message`;
    return new WiceError("delivery-unknown", text, { cause });
  }
  const nobody = "no instance of the recipient answered: it is not subscribed, or cannot be reached";
  const text = loss === undefined ? nobody : `no instance of the recipient could be asked${why}`;
  return new WiceError("not-delivered", text, { cause, retryable: true });
}
