/** Randomness that a seed repeats. */

import type { RandomBytes } from "../bytes.ts";

export interface SeededRandom {
  /** At least 0, below 1. */
  number(): number;
  /** An integer, both ends included. */
  integer(least: number, most: number): number;
  /** True with the probability. */
  chance(probability: number): boolean;
  pick<T>(items: readonly [T, ...T[]]): T;
  /** Not for secrets. */
  bytes: RandomBytes;
}

/** The same seed gives the same sequence everywhere. */
export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const word = (): number => {
    // A Weyl sequence through the 32-bit finaliser of MurmurHash3.
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
  const number = (): number => word() / 0x1_0000_0000;
  const integer = (least: number, most: number): number => least + Math.floor(number() * (most - least + 1));
  return {
    number,
    integer,
    chance: (probability) => number() < probability,
    pick: (items) => items[integer(0, items.length - 1)] as (typeof items)[0],
    bytes: (length) => Uint8Array.from({ length }, () => word() & 0xff),
  };
}
