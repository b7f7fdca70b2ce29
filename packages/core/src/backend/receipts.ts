/** Tells a peer what was taken of it: one receipt at a time, and what comes meanwhile goes into the next. */

import { fromHex } from "../bytes.ts";
import type { MessageInit } from "../message.ts";
import type { Instance } from "./backend.ts";

const maxInstances = 16;
const maxSequences = 1024;

export interface Receipts {
  /**
   * Resolves when the receipt, and all that wait with it, are sent. Never rejects: a receipt that is lost is asked for
   * again.
   */
  add(instance: Instance, sequence: number): Promise<void>;
}

export function createReceipts(send: (receipt: MessageInit["receipt"], to: Instance) => Promise<unknown>): Receipts {
  const waiting = new Map<Instance, Set<number>>();
  /** What the receipt that is being sent holds: whoever repeats that has not heard it yet. */
  let sending: { readonly to: Instance; readonly sequences: ReadonlySet<number> } | undefined;
  let flushing: Promise<void> | undefined;

  const flush = async (): Promise<void> => {
    for (const [instance, sequences] of waiting) {
      waiting.delete(instance);
      sending = { to: instance, sequences };
      const receipt = { instance: fromHex(instance), sequences: [...sequences].map(BigInt) };
      try {
        await send(receipt, instance);
      } catch {
        // The sender repeats its message, and gets the receipt then.
      }
    }
    sending = undefined;
    flushing = undefined;
  };

  return {
    async add(instance, sequence) {
      if (sending?.to === instance && sending.sequences.has(sequence)) return;
      const sequences = waiting.get(instance) ?? new Set();
      if (waiting.size >= maxInstances || sequences.size >= maxSequences) return;
      waiting.set(instance, sequences.add(sequence));
      flushing ??= flush();
      await flushing;
    },
  };
}
