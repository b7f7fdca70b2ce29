/** Builds the Go peer of test/go, once for all test files and runs. */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { findGo, requiredVersion } from "./install-go.ts";

const sources: string = join(import.meta.dirname, "..", "go");
const cache: string = join(import.meta.dirname, "..", "..", "node_modules", ".cache", "gopeer");

/**
 * The path of the Go peer's binary. Where no Go is good enough, prints so and returns undefined, for
 * `describe.skipIf`; with CI=true it throws instead.
 *
 * ```ts
 * const gopeer = await buildGo();
 * describe.skipIf(gopeer === undefined)("…", () => { … });
 * ```
 */
export async function buildGo(): Promise<string | undefined> {
  const go = await findGo();
  if (go === undefined) {
    const reason = `no Go ${await requiredVersion()} or newer: run \`npm run setup\``;
    if (process.env.CI === "true") throw new Error(reason);
    console.warn(`skipped, ${reason}`);
    return undefined;
  }
  const binary = join(cache, `gopeer-${await fingerprint(go)}`);
  await mkdir(cache, { recursive: true });
  const unlock = await lock(`${binary}.lock`);
  try {
    if (!(await exists(binary))) await build(go, binary);
  } finally {
    await unlock();
  }
  return binary;
}

async function build(go: string, binary: string): Promise<void> {
  for (const old of await readdir(cache)) {
    if (!old.endsWith(".lock")) await rm(join(cache, old), { force: true });
  }
  const unfinished = `${binary}-${process.pid}`;
  // No C compiler, no other toolchain, no change of go.mod: the same binary everywhere, and offline once the modules
  // are there.
  const env = { ...process.env, CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly", GOWORK: "off" };
  const args = ["build", "-trimpath", "-buildvcs=false", "-o", unfinished, "."];
  const start = performance.now();
  try {
    await promisify(execFile)(go, args, { cwd: sources, env });
  } catch (cause) {
    throw new Error(`go ${args.join(" ")} failed in test/go`, { cause });
  }
  await rename(unfinished, binary);
  console.log(`built the Go peer in ${Math.round((performance.now() - start) / 1000)} s`);
}

/** Changes with the sources and with the compiler. */
async function fingerprint(go: string): Promise<string> {
  const { stdout } = await promisify(execFile)(go, ["version"], { env: { ...process.env, GOTOOLCHAIN: "local" } });
  const hash = createHash("sha256").update(stdout);
  const entries = await readdir(sources, { recursive: true });
  for (const name of entries.filter((entry) => /(\.go|^go\.mod|^go\.sum)$/.test(entry)).sort()) {
    hash.update(`\0${name}\0`).update(await readFile(join(sources, name)));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Between processes, since every test file may run in one of its own. A lock that nobody renews is void. */
export async function lock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await mkdir(path);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const age = await stat(path).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      if (age > 15_000) await rm(path, { recursive: true, force: true });
      else await sleep(100);
    }
  }
  const renewal = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), 2_000);
  return async () => {
    clearInterval(renewal);
    await rm(path, { recursive: true, force: true });
  };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
