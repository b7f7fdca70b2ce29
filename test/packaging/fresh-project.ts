/** A project outside of the workspace, as a user makes one: our packages from their tarballs, the others from npm. */

import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { inject } from "vitest";
import { run } from "../tools/command.ts";
import { allPackages } from "../tools/workspace.ts";

export interface FreshProject extends AsyncDisposable {
  readonly folder: string;
  /** The text, or what JSON makes of it. */
  write(file: string, content: unknown): Promise<void>;
  /** Runs a program that the project installed, in its folder, and resolves with what it printed. */
  run(program: string, ...args: readonly string[]): Promise<string>;
}

export interface FreshProjectOptions {
  /** Packages of ours. */
  readonly ours: readonly string[];
  /** What the workspace uses too, in the same version. */
  readonly tools?: readonly string[];
  /** Anything else, as in package.json. */
  readonly others?: Readonly<Record<string, string>>;
}

/** Why a test cannot run where {@link createFreshProject} resolves with nothing. */
export const needsRegistry = "needs npm's registry, which cannot be reached";

/** Installs what is asked for; undefined where the registry cannot be reached. */
export async function createFreshProject(options: FreshProjectOptions): Promise<FreshProject | undefined> {
  if (!inject("hasRegistry")) return undefined;
  const { ours, tools = [], others = {} } = options;
  // Compilers tell real paths, and the temporary folder may be a link.
  const folder = await realpath(await mkdtemp(join(tmpdir(), "wice-fresh-")));
  const dispose = () => rm(folder, { recursive: true, force: true });
  const write: FreshProject["write"] = async (file, content) => {
    const path = join(folder, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, typeof content === "string" ? content : JSON.stringify(content, undefined, 2));
  };
  try {
    const tarballs = inject("tarballs");
    await write("package.json", {
      name: "fresh",
      private: true,
      type: "module",
      dependencies: Object.fromEntries(ours.map((name) => [name, `file:${tarballs[name]}`])),
      devDependencies: { ...Object.fromEntries(tools.map((name) => [name, versionOf(name)])), ...others },
    });
    // From npm's cache where it can.
    const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
    await run("npm", ["install", ...flags], { cwd: folder });
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    folder,
    write,
    run: (program, ...args) => run(join(folder, "node_modules", ".bin", program), args, { cwd: folder }),
    [Symbol.asyncDispose]: dispose,
  };
}

/** The exact version that the workspace has of a tool. */
function versionOf(name: string): string {
  const [version] = allPackages().flatMap(({ manifest }) => manifest.devDependencies?.[name] ?? []);
  if (version === undefined) throw new Error(`the workspace has no ${name}`);
  return version;
}
