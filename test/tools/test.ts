/**
 * `npm test [-- NAME…]`: the check and all suites, cheap ones first, each with its time and counts.
 *
 * A suite that crashes, hangs or runs no test has failed. A skipped test says why; with CI=true it has failed, because
 * there nothing may be missing.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check } from "./check.ts";
import { run, seconds } from "./command.ts";
import { reportVariable, type SuiteReport } from "./suite-reporter.ts";

interface Suite {
  readonly name: string;
  run(): Promise<SuiteReport>;
}

/** A suite of vitest is a project of vitest.config.ts. */
const suites: readonly Suite[] = [
  { name: "check", run: runCheck },
  vitest("unit"),
  vitest("docs"),
  vitest("cli"),
  vitest("e2e"),
  vitest("browser"),
  vitest("kubernetes"),
  vitest("interop"),
  vitest("lab"),
  vitest("faults"),
  vitest("packaging"),
];

function vitest(name: string): Suite {
  return { name, run: () => runVitest(name) };
}

async function runCheck(): Promise<SuiteReport> {
  const results = await check();
  const count = (outcome: string) => results.filter((result) => result.outcome === outcome);
  return {
    passed: count("passed").length,
    failed: count("failed").length,
    skipped: count("skipped").map(({ name }) => ({ name, reason: "a step that it needs failed" })),
    failures: count("failed").map(({ name }) => name),
    flaky: [],
  };
}

async function runVitest(project: string): Promise<SuiteReport> {
  const scratch = mkdtempSync(join(tmpdir(), "wice-test-"));
  const file = join(scratch, "report.json");
  let crash: string | undefined;
  try {
    const reporters = ["--reporter=default", "--reporter=./test/tools/suite-reporter.ts"];
    await run("vitest", ["run", "--project", project, ...reporters], {
      env: { [reportVariable]: file },
      output: "show",
      timeoutMs: 15 * 60_000,
    });
  } catch (error) {
    crash = error instanceof Error ? error.message : String(error);
  }
  const report = readReport(file);
  rmSync(scratch, { recursive: true });
  const empty = report.passed + report.failed + report.skipped.length === 0;
  if (report.failed > 0 || (crash === undefined && !empty)) return report;
  const failure = `${empty ? "no test ran" : "all tests ran, but"}${crash === undefined ? "" : `: ${crash}`}`;
  return { ...report, failed: 1, failures: [failure] };
}

function readReport(file: string): SuiteReport {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as SuiteReport;
  } catch {
    return { passed: 0, failed: 0, skipped: [], failures: [], flaky: [] };
  }
}

const names = process.argv.slice(2);
const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(`no suite "${unknown.join('", "')}"; there are: ${suites.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const strict = process.env.CI === "true";
const totals = { passed: 0, failed: 0, skipped: 0 };
const lines: string[] = [];
const details: string[] = [];
for (const suite of suites.filter(({ name }) => names.length === 0 || names.includes(name))) {
  console.log(`\n== ${suite.name}`);
  const start = performance.now();
  const report = await suite.run();
  const passed = report.passed;
  const failed = report.failed + (strict ? report.skipped.length : 0);
  const missed = strict ? 0 : report.skipped.length;
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += missed;
  const tell = (what: string, names: readonly string[]): void => {
    for (const name of names) details.push(`${what}: ${suite.name}: ${name}`);
  };
  tell("failed", report.failures);
  tell("passed only when tried again", report.flaky);
  tell(
    strict ? "missing, which fails with CI=true" : "skipped",
    report.skipped.map(({ name, reason }) => `${name}: ${reason}`),
  );
  lines.push(`${suite.name}: ${passed} passed, ${failed} failed, ${missed} skipped (${seconds(start)})`);
  console.log(lines.at(-1));
}

console.log(`\n== summary\n${[...lines, ...details].join("\n")}`);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed > 0 ? 1 : 0;
