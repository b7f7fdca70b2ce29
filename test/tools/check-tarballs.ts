/** What users would install: each published package as npm packs it, read by publint and by attw. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./command.ts";
import { publishedPackages } from "./workspace.ts";

export async function checkTarballs(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "wice-tarballs-"));
  try {
    for (const { folder } of publishedPackages()) {
      const tarball = join(scratch, await pack(folder, scratch));
      await run("publint", ["run", tarball, "--strict"]);
      await run("attw", [tarball, "--profile", "esm-only", "--no-definitely-typed", "--no-emoji"]);
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Resolves with the name of the tarball. Refuses one that holds what only we need. */
async function pack(folder: string, destination: string): Promise<string> {
  const printed = await run("npm", [
    ...["pack", "--json", "--ignore-scripts", "--loglevel=error"],
    ...["--workspace", folder, "--pack-destination", destination],
  ]);
  const [tarball] = JSON.parse(printed) as PackReport;
  if (tarball === undefined) throw new Error(`npm packed nothing for ${folder}`);
  const paths = tarball.files.map(({ path }) => path);
  const wanted = ["LICENSE", "README.md"].filter((file) => !paths.includes(file)).map((file) => `${file} is missing`);
  const unwanted = paths
    .filter((path) => /(^|\/)test\/|\.test\.|\.tsbuildinfo$/.test(path))
    .map((path) => `${path} is in`);
  if (wanted.length + unwanted.length > 0) throw new Error([`${folder}:`, ...wanted, ...unwanted].join("\n"));
  return tarball.filename;
}

type PackReport = readonly { readonly filename: string; readonly files: readonly { readonly path: string }[] }[];
