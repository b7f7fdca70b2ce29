/** What a relay grants to one envelope, one subscriber, one key and one address. */

import { WiceError } from "@wice/core";

/** A steady rate with room for a burst. */
export interface Rate {
  readonly perSecond: number;
  /** How many may come at once after a rest. */
  readonly burst: number;
}

/**
 * The limits of a relay. The defaults suit a relay of many thousand peers; `Infinity` switches a limit off.
 *
 * An address is an IPv4 address or the first 64 bits of an IPv6 address. Behind a reverse proxy all peers share the
 * proxy's address: raise the limits per address accordingly.
 */
export interface RelayLimits {
  /** The largest serialised envelope, in bytes. Larger ones get `ResourceExhausted`. Default 65,536. */
  readonly maxEnvelopeBytes: number;
  /** Envelopes that wait for one slow subscriber before its oldest is dropped. Default 65,536. */
  readonly maxQueuedEnvelopes: number;
  /** Bytes that wait for one slow subscriber before its oldest is dropped. Default 48 MiB. */
  readonly maxQueuedBytes: number;
  /**
   * Bytes that wait for all slow subscribers together. Default 256 MiB. One of them gets at most a quarter of what the
   * others leave, so that those who keep up find room, however many do not.
   */
  readonly maxTotalQueuedBytes: number;
  /** Subscriptions of all peers. Default 1,000,000. */
  readonly maxSubscriptions: number;
  /** Subscriptions of one key: each of them multiplies what is published to it. Default 100,000. */
  readonly maxSubscriptionsPerKey: number;
  /** Default 100,000. */
  readonly maxSubscriptionsPerAddress: number;
  /** Keys of one Listen; each of them counts as a subscription. Default 1,024. */
  readonly maxKeysPerListen: number;
  /** Streams on one connection. Default 100,000. */
  readonly maxStreamsPerConnection: number;
  /** Connections of one address. More are closed at once. Default 20,000. */
  readonly maxConnectionsPerAddress: number;
  /**
   * Envelopes published *to* one subscribed key, whoever sent them. (The sender of an envelope is a claim until there
   * is a proof of key, and nobody must be able to use up the quota of another.) Default 50,000 per second.
   */
  readonly publishesPerKey: Rate;
  /** Envelopes published from one address. Default 50,000 per second. */
  readonly publishesPerAddress: Rate;
  /** How long a Subscribe over its quota waits for room before it is refused, in milliseconds. Default 20,000. */
  readonly maxSubscribeDelayMs: number;
  /** How many Subscribe calls may wait. Default 10,000. */
  readonly maxDelayedSubscribes: number;
  /**
   * Memory for the calls of one address that are under way, in bytes. A call counts as 4,096 and what has come of its
   * request, until it has ended; a subscription in binary only until it is live. Default 64 MiB, 16,384 calls.
   */
  readonly maxPendingBytesPerAddress: number;
  /** How long the body of a request may take to arrive, in milliseconds. Default 10,000. */
  readonly maxRequestMs: number;
}

const defaults: RelayLimits = {
  maxEnvelopeBytes: 65_536,
  maxQueuedEnvelopes: 65_536,
  maxQueuedBytes: 50_331_648,
  maxTotalQueuedBytes: 268_435_456,
  maxSubscriptions: 1_000_000,
  maxSubscriptionsPerKey: 100_000,
  maxSubscriptionsPerAddress: 100_000,
  maxKeysPerListen: 1_024,
  maxStreamsPerConnection: 100_000,
  maxConnectionsPerAddress: 20_000,
  publishesPerKey: { perSecond: 50_000, burst: 100_000 },
  publishesPerAddress: { perSecond: 50_000, burst: 100_000 },
  maxSubscribeDelayMs: 20_000,
  maxDelayedSubscribes: 10_000,
  maxPendingBytesPerAddress: 67_108_864,
  maxRequestMs: 10_000,
};

/** Fills in the defaults. Throws `invalid-argument` naming the limit that is not a positive number. */
export function resolveLimits(given: Partial<RelayLimits> = {}): RelayLimits {
  const limits = { ...defaults, ...withoutUndefined(given) };
  for (const [name, value] of Object.entries(limits)) {
    if (typeof value === "number") checkPositive(`limits.${name}`, value);
    else {
      checkPositive(`limits.${name}.perSecond`, value.perSecond);
      checkPositive(`limits.${name}.burst`, value.burst - 0.999);
    }
  }
  return {
    ...limits,
    maxSubscribeDelayMs: Math.min(limits.maxSubscribeDelayMs, longestTimerMs),
    maxRequestMs: Math.min(limits.maxRequestMs, longestTimerMs),
  };
}

/** 25 days: Node takes a longer time for a mistake and fires at once. */
export const longestTimerMs: number = 2 ** 31 - 1;

function checkPositive(label: string, value: unknown): void {
  if (typeof value === "number" && value > 0) return;
  throw new WiceError("invalid-argument", `${label} must be a number above 0, or Infinity`);
}

function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
