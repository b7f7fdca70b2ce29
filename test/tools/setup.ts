/**
 * `npm run setup`: what the tests need beside npm's packages.
 *
 * As root on Debian or Ubuntu it installs what is missing; elsewhere it says what to install, and the suites that need
 * it are skipped with that reason. With CI=true a missing part fails.
 */

import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root, run, seconds } from "./command.ts";

interface Program {
  readonly command: string;
  readonly debianPackage: string;
  readonly neededFor: string;
}

const programs: readonly Program[] = [
  { command: "git", debianPackage: "git", neededFor: "npm run check" },
  { command: "openssl", debianPackage: "openssl", neededFor: "certificates of the TLS tests" },
];

/** Say what is still missing. */
async function setUp(): Promise<string[]> {
  const absent = programs.filter(({ command }) => !isInstalled(command));
  if (absent.length > 0 && process.getuid?.() === 0 && isInstalled("apt-get")) {
    await installDebianPackages(absent.map(({ debianPackage }) => debianPackage));
  }
  const missing = programs
    .filter(({ command }) => !isInstalled(command))
    .map(({ command, debianPackage, neededFor }) => `${command} (Debian: ${debianPackage}), for ${neededFor}`);
  return [...missing, ...(await setUpGo())];
}

async function installDebianPackages(names: readonly string[]): Promise<void> {
  const start = performance.now();
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await attempt(`apt-get install ${names.join(" ")}`, async () => {
    await run("apt-get", ["update", "-qq"], { env });
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names], { env });
    console.log(`installed ${names.join(", ")} (${seconds(start)})`);
  });
}

/** The independent peer of the interoperability tests is written in Go. */
async function setUpGo(): Promise<string[]> {
  if (!existsSync(join(root, "test/go/go.mod"))) return [];
  return [];
}

/** Runs a task that may fail without ending the rest. */
async function attempt(what: string, task: () => Promise<void>): Promise<string[]> {
  try {
    await task();
    return [];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.log(`${what} failed:\n${reason.replace(/^/gm, "    ")}`);
    return [what];
  }
}

function isInstalled(command: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const missing = await setUp();
if (missing.length === 0) {
  console.log("everything that the tests need is installed");
} else {
  console.log(`missing:\n${missing.map((line) => `  ${line}`).join("\n")}`);
  if (process.env.CI === "true") process.exitCode = 1;
}
