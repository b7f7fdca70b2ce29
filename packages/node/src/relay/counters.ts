/** What a relay counts: enough to tell whether it is well, nothing that says who talks to whom. */

/** Why an envelope that a subscriber had taken was not written to it. */
export type DropReason =
  /** More envelopes waited for this subscriber than {@link RelayLimits.maxQueuedEnvelopes}; the oldest went. */
  | "queue-envelopes"
  /** More bytes waited for this subscriber than {@link RelayLimits.maxQueuedBytes}; the oldest went. */
  | "queue-bytes"
  /** It had more than its share of {@link RelayLimits.maxTotalQueuedBytes}; its oldest went. */
  | "queue-share"
  /** The subscriber went away with envelopes still waiting for it. */
  | "subscriber-gone";

/** A gRPC status that calls were refused with, as the lower-case name of its code. */
export type RefusalCode =
  | "cancelled"
  | "invalid-argument"
  | "deadline-exceeded"
  | "resource-exhausted"
  | "unimplemented"
  | "internal"
  | "unavailable";

/** A snapshot of a relay's counters. */
export interface RelayCounters {
  /** Open now. */
  readonly connections: number;
  /** Open now, all keys together. */
  readonly subscriptions: number;
  /** Keys with at least one subscriber now. */
  readonly topics: number;
  /** Subscribe calls that wait for a quota now. */
  readonly delayed: number;
  /** Bytes that wait for subscribers now, all queues together. */
  readonly queuedBytes: number;
  /** Envelopes accepted since the start, whether or not anybody subscribed to their recipient. */
  readonly published: number;
  /** Envelopes written to subscribers since the start; one envelope counts once for each subscriber. */
  readonly delivered: number;
  /** Envelopes that were accepted, but only after decoding and encoding them anew. */
  readonly reencoded: number;
  readonly heartbeats: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Publish and Subscribe calls refused since the start. */
  readonly refused: Readonly<Record<RefusalCode, number>>;
}

/** The counters while they count. */
export type LiveCounters = {
  -readonly [K in keyof RelayCounters]: RelayCounters[K] extends number
    ? number
    : { -readonly [R in keyof RelayCounters[K]]: number };
};

export function createCounters(): LiveCounters {
  return {
    connections: 0,
    subscriptions: 0,
    topics: 0,
    delayed: 0,
    queuedBytes: 0,
    published: 0,
    delivered: 0,
    reencoded: 0,
    heartbeats: 0,
    dropped: { "queue-envelopes": 0, "queue-bytes": 0, "queue-share": 0, "subscriber-gone": 0 },
    refused: {
      cancelled: 0,
      "invalid-argument": 0,
      "deadline-exceeded": 0,
      "resource-exhausted": 0,
      unimplemented: 0,
      internal: 0,
      unavailable: 0,
    },
  };
}

/** A copy that no longer counts. */
export function snapshot(live: LiveCounters): RelayCounters {
  return { ...live, dropped: { ...live.dropped }, refused: { ...live.refused } };
}
