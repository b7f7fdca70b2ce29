/**
 * `npm run check [-- NAME…]`: all that can be said about the tree without running it.
 *
 * To add a check, add a line to the table. A step fails by throwing; what it throws is printed, and so are the lines of a
 * list that it returns.
 */

import { stripVTControlCharacters } from "node:util";
import { checkBundles } from "./check-bundles.ts";
import { checkGenerated } from "./check-generated.ts";
import { checkLockfile, checkMachinePaths, checkVersions } from "./check-manifests.ts";
import { checkTarballs } from "./check-tarballs.ts";
import { run, seconds } from "./command.ts";

interface Step {
  readonly name: string;
  run(): unknown;
  /** Steps above this one that must have passed. */
  readonly after?: readonly string[];
}

export interface StepResult {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
}

const steps: readonly Step[] = [
  { name: "build", run: () => run("npm", ["run", "--silent", "build"]) },
  { name: "types", run: () => run("tsc", ["-b"]), after: ["build"] },
  { name: "format and lint", run: () => run("biome", ["check", "--error-on-warnings", "--max-diagnostics=200"]) },
  { name: "proto lint", run: () => run("buf", ["lint", "proto"]) },
  { name: "proto format", run: () => run("buf", ["format", "--diff", "--exit-code", "proto"]) },
  { name: "proto breaking", run: () => run("buf", ["breaking", "proto", "--against", "proto/baseline.binpb"]) },
  { name: "generated code", run: checkGenerated },
  { name: "unused code", run: () => run("knip", ["--no-config-hints"]) },
  { name: "packages", run: checkTarballs, after: ["build"] },
  { name: "bundles", run: checkBundles, after: ["build"] },
  { name: "versions", run: checkVersions },
  { name: "lockfile", run: checkLockfile },
  { name: "machine paths", run: checkMachinePaths },
];

/** How many steps run at a time: the machine that must be green has two cores. */
const parallel = 2;

/** Runs the named steps, or all of them, and prints how each ended. */
export async function check(names: readonly string[] = []): Promise<StepResult[]> {
  const unknown = names.filter((name) => !steps.some((step) => step.name === name));
  if (unknown.length > 0) {
    throw new Error(`no step "${unknown.join('", "')}"; there are: ${steps.map(({ name }) => name).join(", ")}`);
  }
  const chosen = steps.filter(({ name }) => names.length === 0 || names.includes(name));
  const slots = createSlots(parallel);
  const results = new Map<string, Promise<StepResult>>();
  for (const step of chosen) results.set(step.name, runStep(step, results, slots));
  return await Promise.all(results.values());
}

async function runStep(
  step: Step,
  others: ReadonlyMap<string, Promise<StepResult>>,
  slots: Slots,
): Promise<StepResult> {
  const { name } = step;
  const needed = await Promise.all((step.after ?? []).map((other) => others.get(other)));
  const missing = needed.find((result) => result !== undefined && result.outcome !== "passed");
  if (missing !== undefined) {
    console.log(`  skipped ${name}: it needs "${missing.name}"`);
    return { name, outcome: "skipped" };
  }
  return await slots(async () => {
    const start = performance.now();
    try {
      const lines: unknown = await step.run();
      console.log(`  ok      ${name} (${seconds(start)})`);
      if (Array.isArray(lines)) for (const line of lines) console.log(`            ${line}`);
      return { name, outcome: "passed" };
    } catch (error) {
      const reason = stripVTControlCharacters(error instanceof Error ? error.message : String(error));
      console.log(`  FAILED  ${name} (${seconds(start)})\n${reason.replace(/^/gm, "    ")}`);
      return { name, outcome: "failed" };
    }
  });
}

type Slots = <T>(task: () => Promise<T>) => Promise<T>;

/** At most so many tasks at a time, in the order in which they came. */
function createSlots(count: number): Slots {
  const waiting: (() => void)[] = [];
  let free = count;
  return async (task) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}

if (import.meta.main) {
  const results = await check(process.argv.slice(2));
  if (results.some(({ outcome }) => outcome !== "passed")) process.exitCode = 1;
}
