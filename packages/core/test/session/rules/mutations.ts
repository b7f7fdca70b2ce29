/**
 * Switches every rule of DESIGN 6 off, one at a time, in a copy of the package, and runs the tests of the rules and the
 * model check there: `npm run mutations [-- --model] [WORD…]`. With words, only the rules whose text has one of them.
 *
 * Ends with 1 when a rule can be switched off and nothing turns red, and when its text is not in the sources any more. With
 * `--model` the model check runs for each rule, also where the tests have found it out, and has to turn red for all of them
 * but for defects that were mended, which need not be seen from outside.
 */

import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { cp, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defectMutations, type Mutation, ruleMutations } from "./mutation-list.ts";

const packageFolder = fileURLToPath(new URL("../../../", import.meta.url));
const workspaceFolder = fileURLToPath(new URL("../../../../../", import.meta.url));
/** So many schedules of the model check, of one seed: what is red is red again. */
const schedules = "600";
const seed = "1";
/** A mutant that does not come to an end is found out as well. */
const patienceMs = 180_000;

type Colour = "red" | "green";

async function copyPackage(to: string): Promise<void> {
  for (const part of ["src", "test/session", "test/support", "package.json"])
    await cp(join(packageFolder, part), join(to, part), { recursive: true });
  await symlink(join(workspaceFolder, "node_modules"), join(to, "node_modules"));
  const config = {
    cacheDir: join(to, ".cache"),
    test: { include: ["test/session/**/*.test.ts"], testTimeout: 20_000, maxWorkers: 2 },
  };
  // The copy, and not the package that the workspace links to.
  const alias = [
    { find: "^@wice/core$", replacement: join(to, "src/index.ts") },
    { find: "^@wice/core/testing$", replacement: join(to, "src/testing/index.ts") },
    { find: "^@wice/core/dialect$", replacement: join(to, "src/dialect/index.ts") },
  ].map(
    ({ find, replacement }) =>
      `{ find: new RegExp(${JSON.stringify(find)}), replacement: ${JSON.stringify(replacement)} }`,
  );
  await writeFile(
    join(to, "vitest.config.mjs"),
    `export default { ...${JSON.stringify(config)}, resolve: { alias: [${alias}] } };\n`,
  );
}

function test(folder: string, what: string): Promise<Colour> {
  const vitest = join(workspaceFolder, "node_modules/vitest/vitest.mjs");
  const child = spawn(process.execPath, [vitest, "run", "--root", folder, "--bail=1", what], {
    env: { ...process.env, WICE_SEED: seed, WICE_SCHEDULES: schedules },
    stdio: "ignore",
    detached: true,
  });
  const kill = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  };
  const timer = setTimeout(kill, patienceMs);
  process.once("exit", kill);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      process.off("exit", kill);
      resolve(code === 0 ? "green" : "red");
    });
  });
}

/** Returns the sources as they were, or undefined when a text is not there, once. */
async function mutate(folder: string, { changes }: Mutation): Promise<ReadonlyMap<string, string> | undefined> {
  const before = new Map<string, string>();
  const after = new Map<string, string>();
  for (const { file, text, by } of changes) {
    const path = join(folder, "src/session", file);
    const source = after.get(path) ?? (await readFile(path, "utf8"));
    if (source.split(text).length !== 2) return undefined;
    if (!before.has(path)) before.set(path, source);
    after.set(
      path,
      source.replace(text, () => by),
    );
  }
  for (const [path, source] of after) await writeFile(path, source);
  return before;
}

async function restore(sources: ReadonlyMap<string, string>): Promise<void> {
  for (const [path, source] of sources) await writeFile(path, source);
}

async function run(folder: string): Promise<boolean> {
  const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
  const always = process.argv.includes("--model");
  const mutations = [...ruleMutations, ...defectMutations];
  const chosen = mutations.filter(({ rule }) => words.length === 0 || words.some((word) => rule.includes(word)));
  const gone: Mutation[] = [];
  for (const mutation of mutations) {
    const before = await mutate(folder, mutation);
    if (before === undefined) gone.push(mutation);
    else await restore(before);
  }
  for (const { rule } of gone) console.log(`GONE   its text is not in the sources any more: ${rule}`);
  if (chosen.length === 0 || gone.length > 0) return false;
  if ((await test(folder, "rules/")) === "red" || (await test(folder, "model/")) === "red") {
    console.log("red before anything was changed: mend that first");
    return false;
  }
  let good = true;
  for (const mutation of chosen) {
    const before = (await mutate(folder, mutation)) ?? new Map<string, string>();
    const rules = await test(folder, "rules/");
    const model = rules === "red" && !always ? "-" : await test(folder, "model/");
    await restore(before);
    const isRule = ruleMutations.includes(mutation);
    const isFound = model === "red" || (rules === "red" && !(always && isRule));
    good &&= isFound;
    console.log(
      `${isFound ? "found " : "MISSED"} rules: ${rules.padEnd(5)} model: ${model.padEnd(5)} ${mutation.rule}`,
    );
  }
  return good;
}

const folder = await mkdtemp(join(tmpdir(), "wice-mutations-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
process.once("SIGINT", () => process.exit(130)).once("SIGTERM", () => process.exit(143));
await copyPackage(folder);
process.exitCode = (await run(folder)) ? 0 : 1;
