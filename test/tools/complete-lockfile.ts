/**
 * `npm run lockfile`: adds to package-lock.json the optional packages of other platforms that npm left out.
 *
 * npm writes only what the registry at hand can show, and a mirror may lack the binaries of other platforms. `npm ci`
 * then refuses the lockfile, on every machine. What is added has no hash, because nobody here has seen the package.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { root } from "./command.ts";

export interface LockEntry {
  readonly resolved?: string | boolean;
  readonly version?: string;
  readonly dev?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface MissingPackage {
  readonly name: string;
  readonly version: string;
  /** Whoever asks for it is there for development only. */
  readonly dev: boolean;
}

type Entries = Readonly<Record<string, LockEntry>>;

/** What entries of the lockfile ask for and the lockfile does not have. */
export function missingFromLockfile(packages: Entries): MissingPackage[] {
  const found = Object.entries(packages).flatMap(([path, { dev, dependencies, optionalDependencies }]) =>
    Object.entries({ ...dependencies, ...optionalDependencies })
      .filter(([name]) => !isLocked(packages, path, name))
      .map(([name, version]) => ({ name, version, dev: dev === true })),
  );
  return [...new Map(found.map((missing) => [missing.name, missing])).values()];
}

/** Whether Node would find the package from there: in the folder's own node_modules, or in one above it. */
function isLocked(packages: Entries, path: string, name: string): boolean {
  const parts = path.split("/");
  return parts
    .map((_, index) => parts.slice(0, parts.length - index).join("/"))
    .concat("")
    .some((folder) => `${folder === "" ? "" : `${folder}/`}node_modules/${name}` in packages);
}

/** The platform that a package of binaries is for, which is always part of its name. */
function platformOf(name: string): { os?: string[]; cpu?: string[]; libc?: string[] } {
  const find = (pattern: RegExp) => pattern.exec(name)?.[1];
  const os = find(/\b(android|darwin|freebsd|linux|openharmony|win32)\b/);
  const cpu = find(/\b(arm64|arm|ia32|ppc64|riscv64|s390x|x64)(?:v7|eabi|hf|\b)/);
  return {
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    ...(name.endsWith("musl") || name.endsWith("musleabihf") ? { libc: ["musl"] } : {}),
    ...(os === undefined ? {} : { os: [os] }),
  };
}

if (import.meta.main) {
  const file = `${root}package-lock.json`;
  const lock = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, object> };
  const missing = missingFromLockfile(lock.packages);
  for (const { name, version, dev } of missing) {
    const { cpu, libc, os } = platformOf(name);
    lock.packages[`node_modules/${name}`] = { version, cpu, ...(dev ? { dev } : {}), libc, optional: true, os };
    console.log(`added ${name} ${version}`);
  }
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en")));
  if (missing.length > 0) writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`);
}
