/** `Subscribe`: the envelopes for one key, until either side ends it. */

import type { OutgoingHttpHeaders } from "node:http2";
import { decodeEnvelope, type Envelope, type EnvelopeSubscription, WiceError } from "@wice/core";
import { lostSubscription, onAbort } from "@wice/core/transport";
import { type Call, startCall } from "./call.ts";
import type { Connection } from "./connection.ts";
import { createMessageReader } from "./framing.ts";

export interface SubscribeCall {
  readonly headers: OutgoingHttpHeaders;
  /** The framed `SubscribeParams`. */
  readonly request: Uint8Array;
  /** How long the server may take to say that the subscription is live. */
  readonly timeoutMs: number;
  /** The heartbeat that was asked for, or 0. */
  readonly heartbeatMs: number;
  readonly maxEnvelopeBytes: number;
  readonly signal: AbortSignal | undefined;
  /** An envelope was dropped, because it is no envelope or too large. */
  onDropped(reason: "malformed" | "oversized"): void;
}

/** A subscription that its transport can end. */
export interface LiveSubscription extends EnvelopeSubscription {
  /** Called once when the subscription is over, however it ended. */
  onOver(listener: () => void): void;
}

/** Envelopes that wait for the application before the server is held back. */
const queueLimit = 64;
/** Heartbeats that may stay away. */
const missedLimit = 3;

const done = { done: true, value: undefined } as const;

interface Waiting {
  resolve(result: IteratorResult<Envelope, undefined>): void;
  reject(error: unknown): void;
}

/** Resolves with the server's first envelope, which is empty: from then on nothing is missed. */
export function subscribe(connection: Connection, options: SubscribeCall): Promise<LiveSubscription> {
  const { timeoutMs, heartbeatMs, maxEnvelopeBytes, signal, onDropped } = options;
  const { where } = connection;

  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const queue: Envelope[] = [];
    const waiting: Waiting[] = [];
    const overListeners: (() => void)[] = [];
    let live = false;
    let paused = false;
    let ended: { error?: unknown } | undefined;
    let heartbeats: NodeJS.Timeout | undefined;
    let missed = 0;
    let call: Call | undefined;

    const finish = (end: { error?: unknown }): void => {
      if (ended !== undefined) return;
      ended = end;
      clearTimeout(deadline);
      clearInterval(heartbeats);
      removeAbort();
      if (!live) return reject(end.error);
      const first = waiting.shift();
      if (first !== undefined) deliverEnd(first);
      for (const { resolve } of waiting.splice(0)) resolve(done);
      for (const listener of overListeners.splice(0)) listener();
    };
    const deliverEnd = ({ resolve, reject }: Waiting): void => {
      if (ended === undefined || !("error" in ended)) return resolve(done);
      const { error } = ended;
      ended = {};
      reject(error);
    };
    /** Ends it from this side: what is queued is not wanted any more. */
    const stop = (end: { error?: unknown }): void => {
      queue.length = 0;
      call?.cancel();
      if (ended === undefined) finish(end);
      else ended = {};
    };

    const confirm = (): void => {
      live = true;
      clearTimeout(deadline);
      resolve(subscription);
    };
    const onMessage = (message: Uint8Array): void => {
      if (ended !== undefined) return;
      if (message.length === 0) {
        if (!live) confirm();
        else if (heartbeatMs > 0) heartbeats ??= setInterval(countMissed, heartbeatMs).unref();
        return;
      }
      // Whoever sends envelopes has subscribed us.
      if (!live) confirm();
      const envelope = decode(message);
      if (envelope === undefined) return onDropped("malformed");
      const first = waiting.shift();
      if (first === undefined) queue.push(envelope);
      else first.resolve({ done: false, value: envelope });
    };
    const countMissed = (): void => {
      // While the server is held back, nothing can come.
      missed = paused ? 0 : missed + 1;
      if (missed < missedLimit) return;
      stop({ error: lost(where, `sent no heartbeat for ${missed * heartbeatMs} ms`) });
    };
    const reader = createMessageReader({
      maxBytes: maxEnvelopeBytes,
      onMessage,
      onOversized() {
        if (!live) confirm();
        onDropped("oversized");
      },
    });

    const iterator: AsyncIterator<Envelope, undefined> = {
      next: () =>
        new Promise((resolve, reject) => {
          const envelope = queue.shift();
          if (paused && queue.length === 0) {
            paused = false;
            call?.resume();
          }
          if (envelope !== undefined) resolve({ done: false, value: envelope });
          else if (ended !== undefined) deliverEnd({ resolve, reject });
          else waiting.push({ resolve, reject });
        }),
      async return() {
        stop({});
        return done;
      },
    };
    const subscription: LiveSubscription = {
      [Symbol.asyncIterator]: () => iterator,
      async close() {
        stop({});
      },
      onOver(listener) {
        if (ended === undefined) overListeners.push(listener);
        else listener();
      },
    };

    const deadline = setTimeout(() => {
      stop({ error: lost(where, `did not confirm the subscription within ${timeoutMs} ms`) });
    }, timeoutMs).unref();
    const removeAbort = onAbort(signal, () => stop({ error: signal?.reason }));
    try {
      call = startCall(connection, options.headers, options.request, {
        onData(chunk) {
          missed = 0;
          try {
            reader.push(chunk);
          } catch (error) {
            call?.cancel();
            return finish({ error });
          }
          if (queue.length < queueLimit) return;
          paused = true;
          call?.pause();
        },
        onEnd: (error) =>
          finish({
            error: live
              ? error === undefined
                ? lost(where, "ended the subscription")
                : lostSubscription(error)
              : (error ?? lost(where, "ended the subscription")),
          }),
      });
    } catch (error) {
      finish({ error });
    }
  });
}

function decode(message: Uint8Array): Envelope | undefined {
  try {
    return decodeEnvelope(message);
  } catch {
    return undefined;
  }
}

function lost(where: string, how: string): WiceError {
  return new WiceError("unavailable", `${where} ${how}`, { retryable: true });
}
