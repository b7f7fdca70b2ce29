/** A published package as npm packs it. */

import { join } from "node:path";
import { run } from "./command.ts";

/** Resolves with the path of the tarball. Refuses one that holds what only we need, or lacks what users look for. */
export async function pack(folder: string, destination: string): Promise<string> {
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
  return join(destination, tarball.filename);
}

type PackReport = readonly { readonly filename: string; readonly files: readonly { readonly path: string }[] }[];
