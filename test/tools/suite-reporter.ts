/** Tells `npm test` what a suite did: vitest's own JSON leaves out why a test was skipped. */

import { writeFileSync } from "node:fs";
import type { Reporter, TestCase, TestModule, TestSuite } from "vitest/node";

export interface SuiteReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly SkippedTest[];
  /** What failed, in words for the summary. */
  readonly failures: readonly string[];
  /** Names of the tests that passed only when they were tried again. */
  readonly flaky: readonly string[];
}

export interface SkippedTest {
  readonly name: string;
  readonly reason: string;
}

/** The file that the report goes to is named by this environment variable. */
export const reportVariable = "WICE_SUITE_REPORT";

export default class SuiteReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const file = process.env[reportVariable];
    if (file === undefined) return;
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    // A module that does not load and a hook that throws are failures of no test.
    const broken = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const failures = [
      ...tests.filter((test) => test.result().state === "failed").map(nameOf),
      ...broken
        .filter((part) => part.errors().length > 0)
        .map((part) => `${nameOf(part)}: ${part.errors()[0]?.message}`),
      ...unhandled.map((error) => `not caught by any test: ${describe(error)}`),
    ];
    const report: SuiteReport = {
      passed: tests.filter((test) => test.result().state === "passed").length,
      failed: failures.length,
      failures,
      flaky: tests.filter((test) => test.diagnostic()?.flaky === true).map(nameOf),
      skipped: tests.filter((test) => !["passed", "failed"].includes(test.result().state)).map(describeSkipped),
    };
    writeFileSync(file, JSON.stringify(report));
  }
}

function nameOf(part: TestCase | TestSuite | TestModule): string {
  return part.type === "module" ? part.relativeModuleId : `${part.module.relativeModuleId}: ${part.fullName}`;
}

/** Vitest hands over errors of workers as plain objects. */
function describe(error: unknown): string {
  return String((error as { message?: unknown } | null | undefined)?.message ?? error);
}

function describeSkipped(test: TestCase): SkippedTest {
  const result = test.result();
  if (result.state !== "skipped") return { name: test.fullName, reason: "it never ended" };
  const reason = result.note ?? (hasBrokenParent(test) ? "what it belongs to failed" : "no reason given");
  return { name: test.fullName, reason };
}

function hasBrokenParent({ parent }: TestCase | TestSuite): boolean {
  return parent.errors().length > 0 || (parent.type === "suite" && hasBrokenParent(parent));
}
