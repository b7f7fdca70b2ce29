/** What became of the messages that were published, in a line or two for a person. */

import type { Instance, PublicKey, PublishReceipt } from "@wice/core";

export interface Tally {
  readonly count: number;
  add(lineNumber: number, receipt: PublishReceipt): void;
  /** Of one message or more. The first line is the sum; a second one names what deserves attention. */
  summary(peer: PublicKey): readonly [string, ...string[]];
}

export function createTally(until: "accepted" | "delivered"): Tally {
  const instances = new Set<Instance>();
  let count = 0;
  let most = 0;
  let unheard = 0;
  let firstUnheard = Number.POSITIVE_INFINITY;

  return {
    get count() {
      return count;
    },
    add(lineNumber, { subscribers, instance }) {
      count += 1;
      most = Math.max(most, subscribers ?? 0);
      if (instance !== undefined) instances.add(instance);
      if (subscribers !== 0) return;
      unheard += 1;
      firstUnheard = Math.min(firstUnheard, lineNumber);
    },
    summary(peer) {
      const messages = `${count} message${count === 1 ? "" : "s"}`;
      if (until === "delivered") return [`${messages} delivered to ${peer} (instance ${[...instances].join(", ")})`];
      const reach = most === 0 ? "" : `, for ${most} subscriber${most === 1 ? "" : "s"}`;
      const sum = `${messages} accepted by the relay${unheard === count ? "" : reach}`;
      if (unheard === 0) return [sum];
      const which = unheard === count ? "" : ` for ${unheard} of them, the first on line ${firstUnheard}`;
      return [sum, `but nobody was subscribed to ${peer}${which}: what nobody takes is gone (see --delivered)`];
    },
  };
}
