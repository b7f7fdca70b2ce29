/** Which counters were seen, as a sliding window (RFC 6479): datagrams may overtake each other, and none counts twice. */

export interface ReplayWindow {
  /** The largest that was taken; -1 before the first. */
  readonly highest: number;
  /** Whether it was neither taken before nor is so old that nobody can tell. */
  isNew(counter: number): boolean;
  take(counter: number): void;
}

const wordBits = 32;
const words = 256;

/** How far a datagram may be behind the latest. One word of the ring is always being cleared. */
export const replayWindowSize: number = (words - 1) * wordBits;

/** Counters are whole numbers below 2^53. */
export function createReplayWindow(): ReplayWindow {
  const ring = new Uint32Array(words);
  let highest = -1;

  return {
    get highest() {
      return highest;
    },
    isNew(counter) {
      if (counter > highest) return true;
      if (highest - counter >= replayWindowSize) return false;
      return ((ring[wordOf(counter)] as number) & bitOf(counter)) === 0;
    },
    take(counter) {
      if (counter > highest) {
        const before = Math.floor(highest / wordBits);
        const steps = Math.min(words, Math.floor(counter / wordBits) - before);
        for (let step = 1; step <= steps; step++) ring[(before + step) % words] = 0;
        highest = counter;
      }
      const at = wordOf(counter);
      ring[at] = (ring[at] as number) | bitOf(counter);
    },
  };
}

function wordOf(counter: number): number {
  return Math.floor(counter / wordBits) % words;
}

function bitOf(counter: number): number {
  return 1 << (counter % wordBits);
}
