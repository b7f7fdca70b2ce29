/** What the manifests, the lockfile and the tree must keep, so that a clean clone is the same everywhere. */

import { readFileSync } from "node:fs";
import { root, run } from "./command.ts";
import { type LockEntry, missingFromLockfile } from "./complete-lockfile.ts";
import { allPackages, publishedPackages } from "./workspace.ts";

/** Every dependency is one exact version, and the same one in all packages. */
export function checkVersions(): void {
  const flaws: string[] = [];
  const seen = new Map<string, { version: string; folder: string }>();
  const packages = allPackages();
  const ours = new Map(packages.map(({ manifest }) => [manifest.name, manifest.version]));
  for (const { folder, manifest } of packages) {
    const { dependencies, devDependencies, optionalDependencies } = manifest;
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
      if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/.test(version)) flaws.push(`${folder}: ${name} "${version}" is not exact`);
      const own = ours.get(name);
      if (own !== undefined && own !== version)
        flaws.push(`${folder}: ${name} ${version}, but the workspace has ${own}`);
      const first = seen.get(name);
      if (first === undefined) seen.set(name, { version, folder });
      else if (first.version !== version) {
        flaws.push(`${folder}: ${name} ${version}, but ${first.folder} has ${first.version}`);
      }
    }
  }
  for (const { folder, manifest } of publishedPackages()) {
    if (manifest.engines?.node !== ">=22.19") flaws.push(`${folder}: engines.node is not ">=22.19"`);
    if (readText(`${folder}/LICENSE`) !== readText("LICENSE")) flaws.push(`${folder}: LICENSE is not the root's`);
  }
  report(flaws);
}

/** The lockfile names no host, and has every package of every platform. */
export function checkLockfile(): void {
  const { packages } = JSON.parse(readText("package-lock.json") ?? "") as { packages: Record<string, LockEntry> };
  const hosts = Object.entries(packages)
    .filter(([, { resolved }]) => typeof resolved === "string" && /^[a-z+]+:/.test(resolved))
    .map(
      ([name, { resolved }]) =>
        `${name} is resolved to ${resolved}: run \`npm install\` with the .npmrc of this folder`,
    );
  const missing = missingFromLockfile(packages).map(({ name }) => `${name} is missing: run \`npm run lockfile\``);
  report([...hosts, ...missing]);
}

/** No file of the tree names a folder of the machine that it was written on. */
export async function checkMachinePaths(): Promise<void> {
  const listed = await run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  const here = root.slice(0, -1);
  const flaws: string[] = [];
  for (const file of new Set(listed.split("\0"))) {
    const text = file === "" ? undefined : readText(file);
    text?.split("\n").forEach((line, index) => {
      if (line.includes(here) || homes.test(line)) flaws.push(`${file}:${index + 1}: ${line.trim().slice(0, 120)}`);
    });
  }
  report(flaws);
}

/** Where people and machines keep checkouts. */
const homes = /(?<![\w.~$})/-])\/(?:home|root|work|workspace|Users|builds)\/\w/;

function readText(file: string): string | undefined {
  try {
    return readFileSync(`${root}${file}`, "utf8");
  } catch {
    return undefined;
  }
}

function report(flaws: readonly string[]): void {
  if (flaws.length > 0) throw new Error(flaws.join("\n"));
}
