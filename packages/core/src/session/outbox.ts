/**
 * What goes out on a channel: what waits, and what is under way until the other application has taken it. It goes on with
 * another connection where the last one was lost.
 */

import type { AgentChannel } from "../agent/agent.ts";
import type { Clock, Timer } from "../async/clock.ts";
import { onAbort } from "../async/signal.ts";
import { isWiceError, WiceError } from "../errors.ts";
import { costOf, fitsWindow } from "./credit.ts";
import { createFifo } from "./fifo.ts";

export interface Outbox {
  readonly maxMessageBytes: number;
  send(message: Uint8Array, signal: AbortSignal | undefined): Promise<void>;
  /** Sends what can be sent now. */
  pump(): void;
  /** Goes on with the channel of a connection: at once if nothing is under way, else when the other side says what it has. */
  attach(port: AgentChannel): void;
  detach(): void;
  /** So many messages have arrived, on whatever connection. */
  resume(messages: number): void;
  /** So much was taken by the other application, in all. */
  credit(taken: number): void;
  /** Forgets what is under way: the other side is a new one, which knows nothing of it. */
  restart(): void;
  /** Takes nothing new. */
  shut(): void;
  /** Resolves when the other application has taken everything; rejects when it never will. */
  drained(signal: AbortSignal): Promise<void>;
  /** For good: whoever waits is told. */
  end(why: WiceError): void;
}

export interface OutboxOptions {
  /** An unreliable channel forgets what it has sent, and waits for no credit. */
  readonly reliable: boolean;
  readonly clock: Clock;
  /** It cannot go on. */
  onFailure(error: WiceError): void;
}

/** Above that in the agent's own buffer, the rest waits here. */
const highBytes = 1_048_576;
const maxPendingCost = 16_777_216;
/** A channel that refuses a message, though it is open, is asked again so much later. */
const retryMs = 1_000;

interface Wait {
  readonly promise: Promise<void>;
  settle(error?: unknown): void;
}

interface Pending extends Wait {
  readonly bytes: Uint8Array;
}

export function createOutbox({ reliable, clock, onFailure }: OutboxOptions): Outbox {
  let port: AgentChannel | undefined;
  /** We know what the other side has. */
  let ready = false;
  let limit = 65_536;
  /** Why nothing new is taken, and why nothing goes out any more. */
  let shut: WiceError | undefined;
  let ended: WiceError | undefined;
  let retrying: Timer | undefined;

  const pending = createFifo<Pending>();
  let pendingCost = 0;
  /** Sent, and not known to be taken. The first `position` of them were sent on this connection, or have arrived. */
  let underWay = createFifo<Uint8Array>();
  let position = 0;
  let sentMessages = 0;
  let sentCost = 0;
  /** A credit may end within a message. */
  let takenCost = 0;
  let forgottenCost = 0;
  const drains = new Set<Wait>();

  /** What may go now: what has not arrived goes out again, before anything new, of which `bytes` are the first. */
  const due = (bytes = pending.at(0)?.bytes): Uint8Array | undefined => {
    if (!ready || port?.state !== "open" || port.bufferedBytes >= highBytes) return undefined;
    if (!isNewDue()) return underWay.at(position);
    const waits = bytes !== undefined && reliable && !fitsWindow(sentCost - takenCost, costOf(bytes));
    return waits ? undefined : bytes;
  };
  const isNewDue = (): boolean => position >= underWay.size;
  const pump = (): void => {
    for (let bytes = due(); bytes !== undefined; bytes = due()) {
      try {
        port?.send(bytes);
      } catch (error) {
        if (skip(error)) continue;
        break;
      }
      noteSent(bytes);
    }
    if (pending.size === 0 && takenCost >= sentCost) settleDrains();
  };
  const noteSent = (bytes: Uint8Array): void => {
    if (isNewDue()) {
      if (reliable) {
        sentMessages += 1;
        sentCost += costOf(bytes);
        underWay.push(bytes);
      }
      takePending()?.settle();
    }
    if (reliable) position += 1;
  };
  /** The channel did not take a message. Whether it can go on with the next one. */
  const skip = (error: unknown): boolean => {
    const isTooLarge = isWiceError(error, "too-large");
    if (isNewDue() && (isTooLarge || !reliable)) {
      takePending()?.settle(error);
      return true;
    }
    // The peer takes less than it did: it will never have what it has not.
    if (isTooLarge) onFailure(error);
    else
      retrying ??= clock.schedule(retryMs, () => {
        retrying = undefined;
        pump();
      });
    return false;
  };
  const takePending = (): Pending | undefined => {
    const entry = pending.shift();
    if (entry !== undefined) pendingCost -= costOf(entry.bytes);
    return entry;
  };
  const settleDrains = (error?: unknown): void => {
    for (const drain of drains) drain.settle(error);
    drains.clear();
  };
  const detach = (): void => {
    port = undefined;
    ready = false;
    retrying?.cancel();
    retrying = undefined;
  };

  return {
    get maxMessageBytes() {
      return limit;
    },
    async send(message, signal) {
      signal?.throwIfAborted();
      if (shut !== undefined) throw shut;
      if (!(message instanceof Uint8Array)) throw new WiceError("invalid-argument", "a message is a Uint8Array");
      if (message.length > limit) {
        throw new WiceError(
          "too-large",
          `the message has ${message.length} bytes, of at most ${limit}; send it in pieces`,
        );
      }
      // A copy costs more than all else here, and nobody needs it of what goes at once and only once.
      if (!reliable && port?.copies && pending.size === 0 && due(message)) return port.send(message);
      const cost = costOf(message);
      if (pending.size > 0 && pendingCost + cost > maxPendingCost)
        throw new WiceError("resource-exhausted", "too much waits: await the calls before", {
          retryable: true,
        });
      const entry: Pending = {
        // The caller may reuse its memory, and what a lost connection swallowed is sent again.
        bytes: new Uint8Array(message),
        ...createWait(signal, () => {
          if (!pending.remove(entry)) return;
          pendingCost -= cost;
          // A smaller one may go in its place, or it was the last that somebody waited for.
          pump();
        }),
      };
      pending.push(entry);
      pendingCost += cost;
      pump();
      await entry.promise;
    },
    pump,
    attach(given) {
      detach();
      port = given;
      ready = sentMessages === 0;
      limit = given.maxMessageBytes;
      pump();
    },
    detach,
    resume(messages) {
      if (port === undefined || ready) return;
      position = messages - (sentMessages - underWay.size);
      ready = position >= 0 && position <= underWay.size;
      if (ready) pump();
      else onFailure(new WiceError("protocol", "the peer names messages that it cannot have"));
    },
    credit(taken) {
      if (!(taken > takenCost) || taken > sentCost) return;
      takenCost = taken;
      for (let first = underWay.at(0); first !== undefined; first = underWay.at(0)) {
        if (forgottenCost + costOf(first) > takenCost) break;
        forgottenCost += costOf(first);
        underWay.shift();
        position = Math.max(0, position - 1);
      }
      pump();
    },
    restart() {
      detach();
      underWay = createFifo();
      position = 0;
      sentMessages = 0;
      sentCost = 0;
      takenCost = 0;
      forgottenCost = 0;
    },
    shut() {
      shut ??= new WiceError("closed", "the channel is closed");
    },
    async drained(signal) {
      signal.throwIfAborted();
      if (ended !== undefined) throw ended;
      const drain = createWait(signal, () => drains.delete(drain));
      drains.add(drain);
      pump();
      await drain.promise;
    },
    end(why) {
      detach();
      ended = why;
      shut = why;
      underWay = createFifo();
      for (let entry = takePending(); entry !== undefined; entry = takePending()) entry.settle(why);
      settleDrains(why);
    },
  };
}

/** For a signal that has not aborted. */
function createWait(signal: AbortSignal | undefined, onAborted: () => void): Wait {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const forget = onAbort(signal, () => {
    reject(signal?.reason);
    onAborted();
  });
  return {
    promise,
    settle(error) {
      forget();
      if (error === undefined) resolve();
      else reject(error);
    },
  };
}
