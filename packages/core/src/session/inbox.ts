/** What has come on a channel: handed to the application in order, which gives the other side credit for more. */

import type { Clock, Timer } from "../async/clock.ts";
import type { WiceError } from "../errors.ts";
import { costOf, fitsWindow, windowBytes } from "./credit.ts";
import { createFifo } from "./fifo.ts";

export interface Inbox {
  /** False when the peer has sent more than it may: the message was not taken. */
  take(message: Uint8Array): boolean;
  next(): Promise<IteratorResult<Uint8Array>>;
  /** The application reads no more: what comes counts as taken, so that nobody waits for it. */
  discard(): void;
  /** What has come and what was taken, for an other side that may have heard of neither. */
  progress(): Progress;
  /** The other side is a new one. What the former has sent can still be read: the latest 4 MiB of it. */
  restart(): void;
  /** What has come can still be read; then iteration ends, with the error if there is one. */
  end(error: WiceError | undefined): void;
}

export interface Progress {
  readonly messages: number;
  readonly consumed: number;
}

export interface InboxOptions {
  /** An unreliable channel gives no credit: who does not read loses the oldest. */
  readonly reliable: boolean;
  readonly clock: Clock;
  /** Tells the other side how much of its was taken, in all. */
  report(consumed: number): void;
}

/** What was taken is told after so long, or at a quarter of what may be under way. */
const reportMs = 50;

interface Came {
  readonly bytes: Uint8Array;
  readonly from: number;
}

interface Reader {
  resolve(result: IteratorResult<Uint8Array>): void;
  reject(error: unknown): void;
}

export function createInbox({ reliable, clock, report }: InboxOptions): Inbox {
  const waiting = createFifo<Came>();
  let waitingCost = 0;
  const readers: Reader[] = [];
  let isDiscarding = false;
  let ended: { readonly error: WiceError | undefined } | undefined;

  /** Counts the other sides that there were: what a former one has sent is no credit of the present one. */
  let generation = 0;
  let messages = 0;
  let receivedCost = 0;
  let consumed = 0;
  let reported = 0;
  let reporting: Timer | undefined;

  const forgetReport = (): void => {
    reporting?.cancel();
    reporting = undefined;
  };
  const tell = (): void => {
    forgetReport();
    reported = consumed;
    report(consumed);
  };
  const consume = ({ bytes, from }: Came): Uint8Array => {
    if (!reliable || from !== generation || ended !== undefined) return bytes;
    consumed += costOf(bytes);
    if (consumed - reported >= windowBytes / 4) tell();
    else reporting ??= clock.schedule(reportMs, tell);
    return bytes;
  };
  const shift = (): Came | undefined => {
    const came = waiting.shift();
    if (came !== undefined) waitingCost -= costOf(came.bytes);
    return came;
  };
  const dropOldest = (): void => {
    while (waiting.size > 1 && waitingCost > windowBytes) shift();
  };

  return {
    take(bytes) {
      const cost = costOf(bytes);
      if (reliable && !fitsWindow(receivedCost - reported, cost)) return false;
      messages += 1;
      receivedCost += cost;
      const came: Came = { bytes, from: generation };
      const reader = readers.shift();
      if (reader !== undefined) reader.resolve({ done: false, value: consume(came) });
      else if (isDiscarding) consume(came);
      else {
        waiting.push(came);
        waitingCost += cost;
        if (!reliable) dropOldest();
      }
      return true;
    },
    next() {
      const came = shift();
      if (came !== undefined) return Promise.resolve({ done: false, value: consume(came) });
      if (isDiscarding || (ended !== undefined && ended.error === undefined)) return Promise.resolve(done);
      if (ended !== undefined) return Promise.reject(ended.error);
      return new Promise((resolve, reject) => {
        readers.push({ resolve, reject });
      });
    },
    discard() {
      isDiscarding = true;
      for (let came = shift(); came !== undefined; came = shift()) consume(came);
      for (const { resolve } of readers.splice(0)) resolve(done);
    },
    progress() {
      forgetReport();
      reported = consumed;
      return { messages, consumed };
    },
    restart() {
      forgetReport();
      generation += 1;
      messages = 0;
      receivedCost = 0;
      consumed = 0;
      reported = 0;
      dropOldest();
    },
    end(error) {
      if (ended !== undefined) return;
      forgetReport();
      ended = { error };
      for (const { resolve, reject } of readers.splice(0)) {
        if (error === undefined) resolve(done);
        else reject(error);
      }
    },
  };
}

const done = { done: true, value: undefined } as const;
