/** One subscription through several transports: live while one of them is, each envelope once. */

import { type BackoffOptions, createBackoff, retryDelay } from "../async/backoff.ts";
import type { Clock } from "../async/clock.ts";
import { onAbort, sleep } from "../async/signal.ts";
import type { RandomBytes } from "../bytes.ts";
import type { Envelope } from "../envelope.ts";
import { asWiceError, WiceError } from "../errors.ts";
import type { PublicKey } from "../public-key.ts";
import { createFedQueue } from "./fed-queue.ts";
import { lostSubscription } from "./lost-subscription.ts";
import { combined } from "./multi-error.ts";
import type { Member } from "./multi-member.ts";
import { createRecentEnvelopes } from "./recent-envelopes.ts";
import type { EnvelopeSubscription } from "./transport.ts";

export interface MultiSubscription extends EnvelopeSubscription {
  /** One more transport to receive from. */
  join(member: Member): void;
  leave(member: Member): void;
}

export interface MultiSubscriptionContext {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly retry: BackoffOptions;
  readonly signal: AbortSignal | undefined;
  onOpen(subscription: MultiSubscription): void;
  onOver(subscription: MultiSubscription): void;
}

/** Envelopes that wait for the application before the transports are held back. */
const queueLimit = 64;
/** A subscription that lived this long was a good one: the next loss is met with the shortest delay again. */
const provenAfterMs = 10_000;
/** When a transport that refuses is asked again: what it lacks may have been granted. */
const refusedMs = 60_000;

/** Resolves with the first that is live; rejects when each has failed once. The others are tried on and on. */
export function subscribeAll(
  members: readonly Member[],
  recipient: PublicKey,
  { clock, random, retry, signal, onOpen, onOver }: MultiSubscriptionContext,
): Promise<MultiSubscription> {
  return new Promise((resolve, reject) => {
    const stops = new Map<Member, AbortController>();
    const live = new Set<Member>();
    /** The latest failure of each that is not live. */
    const failures = new Map<Member, WiceError>();
    const recent = createRecentEnvelopes();
    let wasLive = false;
    let isOver = false;

    const queue = createFedQueue<Envelope>(queueLimit, () => {
      isOver = true;
      forget();
      for (const stop of stops.values()) stop.abort(new WiceError("closed", "the subscription is over"));
      onOver(subscription);
    });
    const end = (error: unknown): void => {
      queue.fail(error);
      if (!wasLive) reject(error);
    };
    /** Whether nobody is left who is live, or may be soon. */
    const judge = (): void => {
      if (isOver || live.size > 0 || (!wasLive && failures.size < stops.size)) return;
      const error = combined([...failures.values()]);
      end(wasLive ? lostSubscription(error) : error);
    };

    /** From the first try to the end of what it led to; rejects with the reason. */
    const receiveOnce = async (member: Member, stop: AbortSignal): Promise<never> => {
      const source = await member.transport.subscribe(recipient, { signal: stop });
      // Between the transport's answer and this line it may all be over.
      if (stop.aborted) await source.close();
      stop.throwIfAborted();
      live.add(member);
      failures.delete(member);
      member.works();
      wasLive = true;
      resolve(subscription);
      for await (const envelope of source) {
        if (recent.isNew(envelope)) await queue.put(envelope);
      }
      throw new WiceError("unavailable", `${member.name} ended the subscription`, { retryable: true });
    };
    const receive = async (member: Member, stop: AbortSignal): Promise<void> => {
      const delays = createBackoff(retry, random);
      while (!isOver) {
        const startedAtMs = clock.now();
        const loss = await receiveOnce(member, stop).catch((error: unknown) => error);
        if (stop.aborted) return;
        const error = asWiceError(loss, member.name);
        if (live.delete(member) && clock.now() - startedAtMs >= provenAfterMs) delays.reset();
        member.fails(error);
        failures.set(member, error);
        judge();
        await sleep(clock, error.retryable ? retryDelay(delays, error.retryAfterMs) : refusedMs, stop);
      }
    };

    const subscription: MultiSubscription = {
      [Symbol.asyncIterator]: () => queue[Symbol.asyncIterator](),
      async close() {
        await queue[Symbol.asyncIterator]().return?.();
      },
      join(member) {
        const stop = new AbortController();
        stops.set(member, stop);
        receive(member, stop.signal).catch((error: unknown) => {
          if (!stop.signal.aborted) end(asWiceError(error, member.name));
        });
      },
      leave(member) {
        const stop = stops.get(member);
        stops.delete(member);
        live.delete(member);
        const gone = new WiceError("unavailable", `${member.name} was removed`, { retryable: true });
        stop?.abort(gone);
        failures.set(member, gone);
        judge();
        failures.delete(member);
      },
    };
    const forget = onAbort(signal, () => end(signal?.reason));
    if (isOver) return;
    onOpen(subscription);
    for (const member of members) subscription.join(member);
  });
}
