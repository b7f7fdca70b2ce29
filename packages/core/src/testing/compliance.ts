/** What all suites have in common: cases by name, for any test runner. */

/** One statement about the behaviour of an implementation; `run` rejects where it does not hold. */
export interface ComplianceCase {
  readonly name: string;
  run(): Promise<void>;
}

/** How a suite gets at an implementation: `setup` before each case, `teardown` after it. */
export interface ComplianceSubject<Fixture> {
  setup(): Promise<Fixture>;
  teardown(fixture: Fixture): Promise<void>;
  /** How long anything may take, in milliseconds. Default 5,000. */
  readonly patienceMs?: number;
}

export function makeCases<Fixture>(
  subject: ComplianceSubject<Fixture>,
  cases: Readonly<Record<string, (fixture: Fixture) => Promise<void>>>,
): readonly ComplianceCase[] {
  return Object.entries(cases).map(([name, check]) => ({
    name,
    async run() {
      const fixture = await subject.setup();
      try {
        await check(fixture);
      } finally {
        await subject.teardown(fixture);
      }
    },
  }));
}
