/** Which sequence numbers of one sender were already taken: a sliding bitmap (RFC 6479). */

const blockBits = 32;
const blocks = 64;

/** Sequence numbers up to this far behind the highest one are still told apart. One block is being reused. */
export const replayWindowSize: number = (blocks - 1) * blockBits;

export interface ReplayWindow {
  /** The highest number marked; 0 at first. */
  readonly highest: number;
  /** `new`: may be taken. `seen`: was taken. `stale`: too old to tell, to be refused. */
  look(sequence: number): "new" | "seen" | "stale";
  /** Notes that a `new` number was taken. */
  mark(sequence: number): void;
}

/** @param floor numbers up to this one are `stale` from the start */
export function createReplayWindow(floor = 0): ReplayWindow {
  const bitmap = new Uint32Array(blocks);
  let highest = floor;

  const block = (sequence: number): number => Math.floor(sequence / blockBits);
  const bit = (sequence: number): number => 1 << (sequence % blockBits);

  return {
    get highest() {
      return highest;
    },
    look(sequence) {
      if (sequence > highest) return "new";
      if (sequence <= floor || highest - sequence >= replayWindowSize) return "stale";
      return ((bitmap[block(sequence) % blocks] as number) & bit(sequence)) === 0 ? "new" : "seen";
    },
    mark(sequence) {
      if (sequence > highest) {
        const first = block(highest) + 1;
        const last = block(sequence);
        for (let i = Math.max(first, last - blocks + 1); i <= last; i++) bitmap[i % blocks] = 0;
        highest = sequence;
      }
      const index = block(sequence) % blocks;
      bitmap[index] = (bitmap[index] as number) | bit(sequence);
    },
  };
}
