/**
 * Transports that live in another tab of the same origin, as seen from this one. Scripts of both may call each other
 * directly, but classes of one are not those of the other: what passes is bytes, and objects that say what they are.
 */

import {
  decodeEnvelope,
  type EnvelopeSubscription,
  type EnvelopeTransport,
  encodeEnvelope,
  PublicKey,
  WiceError,
} from "@wice/core";
import type { TransportOptions } from "../web-page.ts";
import { openTransport } from "./peers.ts";

/** What a tab offers to the one that opened it. */
export interface Neighbour {
  connect(options: TransportOptions): ForeignTransport;
}

interface ForeignTransport {
  publish(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<{ readonly subscribers?: number | undefined }>;
  subscribe(recipient: Uint8Array, signal: AbortSignal | undefined): Promise<ForeignSubscription>;
  close(): Promise<void>;
}

interface ForeignSubscription {
  next(): Promise<IteratorResult<Uint8Array>>;
  leave(): Promise<void>;
  close(): Promise<void>;
}

type OfferingWindow = Window & { neighbour?: Neighbour };

/** Lets a tab that opens this one connect through it. */
export function offerToOpener(): void {
  (window as OfferingWindow).neighbour = {
    connect(options) {
      const transport = openTransport(options);
      return {
        publish: (bytes, signal) => transport.publish(decodeEnvelope(new Uint8Array(bytes)), { signal }),
        async subscribe(recipient, signal) {
          const subscription = await transport.subscribe(PublicKey.fromBytes(new Uint8Array(recipient)), { signal });
          const iterator = subscription[Symbol.asyncIterator]();
          return {
            async next() {
              const step = await iterator.next();
              return step.done === true ? step : { done: false, value: encodeEnvelope(step.value) };
            },
            async leave() {
              await iterator.return?.();
            },
            close: () => subscription.close(),
          };
        },
        close: () => transport.close(),
      };
    },
  };
}

/** Opens another tab of this page. */
export function openNeighbour(): Promise<Neighbour> {
  return new Promise((resolve, reject) => {
    const tab = window.open(location.href) as OfferingWindow | null;
    if (tab === null) return reject(new Error("the browser does not open another tab"));
    tab.addEventListener("load", () => {
      if (tab.neighbour === undefined) reject(new Error("the other tab offers nothing"));
      else resolve(tab.neighbour);
    });
  });
}

/** A transport of the other tab, which works like one of ours. */
export function transportOfNeighbour(neighbour: Neighbour, options: TransportOptions): EnvelopeTransport {
  const transport = neighbour.connect(options);
  return {
    async publish(envelope, { signal } = {}) {
      // An envelope that cannot be encoded is refused here, as it would be there.
      return await ours(transport.publish(encodeEnvelope(envelope), signal));
    },
    async subscribe(recipient, { signal } = {}) {
      return adopt(await ours(transport.subscribe(recipient.toBytes(), signal)));
    },
    close: () => ours(transport.close()),
  };
}

function adopt(subscription: ForeignSubscription): EnvelopeSubscription {
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const step = await ours(subscription.next());
        return step.done === true
          ? { done: true, value: undefined }
          : { done: false, value: decodeEnvelope(new Uint8Array(step.value)) };
      },
      async return() {
        await ours(subscription.leave());
        return { done: true, value: undefined };
      },
    }),
    close: () => ours(subscription.close()),
  };
}

/** The promise, with errors of the other tab made ours; reasons of signals are ours already. */
async function ours<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Error || !isForeign(error)) throw error;
    const { code, message, retryable } = error;
    throw new WiceError(code, message, { retryable, cause: error });
  }
}

function isForeign(error: unknown): error is WiceError {
  return typeof error === "object" && error !== null && "name" in error && error.name === "WiceError";
}
