/** Knows the envelopes that came while two streams could bring the same. */

import type { Envelope } from "@wice/core";

export interface SeenEnvelopes {
  /** False when an equal one was added before. Of too many, the oldest are forgotten. */
  add(envelope: Envelope): boolean;
  clear(): void;
}

const most = 4_096;
const mostBytes = 4_194_304;

export function createSeenEnvelopes(): SeenEnvelopes {
  const bodies = new Map<string, Uint8Array>();
  let bytes = 0;
  const forget = (name: string): void => {
    bytes -= bodies.get(name)?.length ?? 0;
    bodies.delete(name);
  };
  return {
    add({ sender, recipient, body, nonce }) {
      const name = `${sender}${recipient}${String.fromCharCode(...nonce)}`;
      const before = bodies.get(name);
      // All of the body counts: whoever sees an envelope could publish another with the same beginning, and hide it.
      if (before !== undefined && isSame(before, body)) return false;
      forget(name);
      bodies.set(name, body);
      bytes += body.length;
      for (const oldest of bodies.keys()) {
        if (bodies.size <= most && bytes <= mostBytes) break;
        forget(oldest);
      }
      return true;
    },
    clear() {
      bodies.clear();
      bytes = 0;
    },
  };
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
