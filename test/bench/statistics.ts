/** Figures out of samples. */

export function median(samples: readonly number[]): number {
  return percentile(samples, 50);
}

/** The smallest sample that `percent` of all do not exceed. */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** The quotient of each pair of samples that were taken in the same round. */
export function ratios(of: readonly number[], to: readonly number[]): number[] {
  return of.map((value, round) => value / (to[round] ?? Number.NaN));
}

/** `"1.18 (1.12 to 1.25)"`: the median, and the half of the samples in the middle. */
export function withSpread(samples: readonly number[]): string {
  const [middle, low, high] = [median(samples), percentile(samples, 25), percentile(samples, 75)];
  return `${middle.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}
