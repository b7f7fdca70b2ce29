/** The packages of the workspace, as their manifests describe them. */

import { readFileSync } from "node:fs";
import { root } from "./command.ts";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly workspaces?: readonly string[];
  readonly engines?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface WorkspacePackage {
  /** From the root of the workspace: `"packages/core"`, and `"."` for the root itself. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/** The root first, then every workspace. */
export function allPackages(): readonly WorkspacePackage[] {
  const read = (folder: string): WorkspacePackage => ({
    folder,
    manifest: JSON.parse(readFileSync(`${root}${folder}/package.json`, "utf8")) as Manifest,
  });
  const top = read(".");
  return [top, ...(top.manifest.workspaces ?? []).map(read)];
}

/** Those that go to a registry. */
export function publishedPackages(): readonly WorkspacePackage[] {
  return allPackages().filter(({ manifest }) => manifest.private !== true);
}
