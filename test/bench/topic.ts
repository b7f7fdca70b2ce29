/** What a topic of the benchmark measures, and the form that it reports it in. */

export interface Topic {
  /** What one calls it on the command line. */
  readonly name: string;
  readonly title: string;
  measure(scale: Scale): Promise<Report>;
}

export interface Scale {
  /** A short run, which shows that everything works. Its figures are rough. */
  readonly quick: boolean;
}

export interface Report {
  /** How it was measured, in a few sentences. */
  readonly method: string;
  readonly table: Table;
  readonly bars: readonly Bar[];
}

/** Rows of as many cells as there are columns. An empty text is a cell that makes no sense. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** A figure that must not be larger than its limit. */
export interface Bar {
  readonly what: string;
  readonly value: number;
  readonly limit: number;
  /** Stands after both; empty for a ratio. */
  readonly unit: string;
}

export function holds({ value, limit }: Bar): boolean {
  return value <= limit;
}
