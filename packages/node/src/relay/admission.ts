/**
 * Who may subscribe now, and who has to wait. A Go client goes deaf when its re-subscription fails, so a Subscribe over
 * a quota is held back until there is room, and refused only when that takes too long.
 */

import type { AddressState } from "./connections.ts";
import type { LiveCounters } from "./counters.ts";
import type { RelayLimits } from "./limits.ts";
import type { Topics } from "./topics.ts";

/** One Subscribe or Listen on its way in. All of its keys are admitted at once. */
export interface Applicant {
  /** Each once. */
  readonly topics: readonly string[];
  readonly address: AddressState;
  /** The topic that kept it waiting at the last look, which is the likeliest to do so again. */
  fullTopic: string | undefined;
  /** There is room: the subscriptions are counted already. */
  readonly admit: () => void;
  /** There was no room in time. */
  readonly refuse: () => void;
}

export interface Admission {
  /** Admits at once, later, or refuses. */
  apply(applicant: Applicant): void;
  /** The stream of an applicant went away before it was admitted. */
  withdraw(applicant: Applicant): void;
  /** So many subscriptions of an address have ended. */
  release(address: AddressState, subscriptions: number): void;
  stop(): void;
}

export function createAdmission(topics: Topics, limits: RelayLimits, counters: LiveCounters): Admission {
  // In the order of arrival, with the timer that ends the wait.
  const waiting = new Map<Applicant, NodeJS.Timeout>();
  let scheduled: NodeJS.Immediate | undefined;

  const isFull = (topic: string): boolean => (topics.get(topic)?.members.length ?? 0) >= limits.maxSubscriptionsPerKey;

  /** Cheap for those who have to wait on: thousands may, each with a thousand keys. */
  const findsFullTopic = (applicant: Applicant): boolean => {
    if (applicant.fullTopic !== undefined && isFull(applicant.fullTopic)) return true;
    applicant.fullTopic = applicant.topics.find(isFull);
    return applicant.fullTopic !== undefined;
  };

  const hasRoom = (applicant: Applicant): boolean =>
    counters.subscriptions + applicant.topics.length <= limits.maxSubscriptions &&
    applicant.address.subscriptions + applicant.topics.length <= limits.maxSubscriptionsPerAddress &&
    !findsFullTopic(applicant);

  const mayEverHaveRoom = (applicant: Applicant): boolean =>
    applicant.topics.length <= Math.min(limits.maxSubscriptions, limits.maxSubscriptionsPerAddress);

  const admit = (applicant: Applicant): void => {
    applicant.address.subscriptions += applicant.topics.length;
    applicant.admit();
  };

  const leave = (applicant: Applicant): boolean => {
    clearTimeout(waiting.get(applicant));
    const waited = waiting.delete(applicant);
    counters.delayed = waiting.size;
    return waited;
  };

  const admitWaiting = (): void => {
    scheduled = undefined;
    for (const applicant of waiting.keys()) {
      if (!hasRoom(applicant)) continue;
      leave(applicant);
      admit(applicant);
    }
  };

  return {
    apply(applicant) {
      if (hasRoom(applicant)) {
        admit(applicant);
      } else if (waiting.size >= limits.maxDelayedSubscribes || !mayEverHaveRoom(applicant)) {
        applicant.refuse();
      } else {
        const timer = setTimeout(() => {
          leave(applicant);
          applicant.refuse();
        }, limits.maxSubscribeDelayMs);
        waiting.set(applicant, timer.unref());
        counters.delayed = waiting.size;
      }
    },
    withdraw: leave,
    release(address, subscriptions) {
      address.subscriptions -= subscriptions;
      // One look for all that end in this turn of the event loop.
      if (waiting.size > 0) scheduled ??= setImmediate(admitWaiting);
    },
    stop() {
      clearImmediate(scheduled);
      for (const applicant of waiting.keys()) {
        leave(applicant);
        applicant.refuse();
      }
    },
  };
}
