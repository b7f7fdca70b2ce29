/** Counts the BroadcastChannels that are open, and stands in for a platform without them. */

import { onTestFinished } from "vitest";

export interface CountedChannels {
  /** Their names. */
  readonly open: readonly string[];
}

/** Until the end of the test. */
export function countChannels(): CountedChannels {
  const Original = globalThis.BroadcastChannel;
  const open = new Set<BroadcastChannel>();
  globalThis.BroadcastChannel = class extends Original {
    constructor(name: string) {
      super(name);
      open.add(this);
    }
    override close(): void {
      open.delete(this);
      super.close();
    }
  };
  onTestFinished(() => {
    globalThis.BroadcastChannel = Original;
  });
  return {
    get open() {
      return Array.from(open, ({ name }) => name);
    },
  };
}

/** Until the end of the test. */
export function removeChannels(): void {
  const Original = globalThis.BroadcastChannel;
  // @ts-expect-error Platforms have been without.
  globalThis.BroadcastChannel = undefined;
  onTestFinished(() => {
    globalThis.BroadcastChannel = Original;
  });
}
