/** What the relay does, whatever protocol a request came in by: check, count, limit, hand over. */

import { type Admission, createAdmission } from "./admission.ts";
import { checkEnvelope } from "./check-envelope.ts";
import type { AddressState } from "./connections.ts";
import type { LiveCounters } from "./counters.ts";
import type { RelayLimits } from "./limits.ts";
import type { Status } from "./status.ts";
import type { Subscription } from "./subscription.ts";
import { takeToken } from "./token-bucket.ts";
import { createTopics, fanOut, type Topics } from "./topics.ts";

export interface RelayCore {
  readonly limits: RelayLimits;
  readonly counters: LiveCounters;
  readonly topics: Topics;
  readonly admission: Admission;
  /** Every subscription that is live. */
  readonly subscriptions: Set<Subscription>;
  /** Set once the relay is about to stop: new calls are not taken any more. */
  draining: boolean;
  /** Takes a length-prefixed envelope. Returns how many subscribers took it, or the refusal. */
  publish(frame: Buffer, address: AddressState): number | Status;
}

export function createCore(limits: RelayLimits, counters: LiveCounters): RelayCore {
  const topics = createTopics(counters);
  return {
    limits,
    counters,
    topics,
    admission: createAdmission(topics, limits, counters),
    subscriptions: new Set(),
    draining: false,
    publish(frame, address) {
      const nowMs = performance.now();
      const addressWaitMs = takeToken(address.bucket, limits.publishesPerAddress, nowMs);
      if (addressWaitMs > 0) return overQuota("this address publishes", addressWaitMs);
      const checked = checkEnvelope(frame);
      if (typeof checked === "string") return { code: "invalid-argument", message: checked };
      const topic = topics.get(checked.topic);
      if (topic !== undefined) {
        const keyWaitMs = takeToken(topic.bucket, limits.publishesPerKey, nowMs);
        if (keyWaitMs > 0) return overQuota("this key is published to", keyWaitMs);
      }
      counters.published++;
      if (checked.reencoded) counters.reencoded++;
      return topic === undefined ? 0 : fanOut(topic, checked.frame);
    },
  };
}

function overQuota(who: string, waitMs: number): Status {
  const retryAfterMs = Math.ceil(waitMs);
  return { code: "resource-exhausted", message: `${who} too often; try again in ${retryAfterMs} ms`, retryAfterMs };
}
