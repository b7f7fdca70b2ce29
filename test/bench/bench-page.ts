/** What the measured page and the benchmark agree on. */

export interface BenchPage {
  /** Opens the ways to pass messages over this relay, and passes some on each. */
  prepare(relayUrl: string, warmUp: number): Promise<void>;
  /** Passes messages one after the other: milliseconds from publishing to having received, of each. */
  pass(way: Way, count: number): Promise<readonly number[]>;
}

/** Two backends of the preset, the same with a stream for each, and `fetch` alone. */
export type Way = "preset" | "own streams" | "by hand";
