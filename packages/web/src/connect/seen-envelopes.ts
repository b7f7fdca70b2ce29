/** Knows the envelopes that came while two streams could bring the same. */

import type { Envelope } from "@wice/core";

export interface SeenEnvelopes<Source> {
  /** Where an equal envelope came from before; undefined, and remembered from now on, when there was none. */
  firstFrom(envelope: Envelope, source: Source): Source | undefined;
  clear(): void;
}

/** Of more, the oldest are forgotten. */
const limit = 4_096;

const tagBytes = 16;

export function createSeenEnvelopes<Source>(): SeenEnvelopes<Source> {
  const sources = new Map<string, Source>();
  return {
    firstFrom(envelope, source) {
      const name = nameOf(envelope);
      const first = sources.get(name);
      if (first !== undefined) return first;
      sources.set(name, source);
      if (sources.size > limit) for (const oldest of sources.keys()) return void sources.delete(oldest);
      return undefined;
    },
    clear: () => sources.clear(),
  };
}

/** The tag of the box stands for its content: nobody but the two peers can make another with the same. */
function nameOf({ sender, recipient, body, nonce }: Envelope): string {
  return `${sender}${recipient}${String.fromCharCode(...nonce, ...body.subarray(0, tagBytes))}`;
}
