/** The committed code is what the .proto files generate today. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, run } from "./command.ts";

const generated = ["packages/core/src/gen", "packages/node/src/relay/gen"];

export async function checkGenerated(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "wice-generated-"));
  try {
    await run("buf", ["generate", "--output", join(scratch, "proto")], { cwd: `${root}proto` });
    const differing = generated.flatMap((folder) => {
      const fresh = readTree(join(scratch, folder));
      const committed = readTree(`${root}${folder}`);
      if (fresh.size === 0) throw new Error(`buf generated nothing for ${folder}`);
      const files = new Set([...fresh.keys(), ...committed.keys()]);
      return [...files].filter((file) => fresh.get(file) !== committed.get(file)).map((file) => join(folder, file));
    });
    if (differing.length > 0) throw new Error(`${differing.join("\n")}\nout of date: run \`npm run proto\``);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Path to content. */
function readTree(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return new Map(
    files
      .filter((file) => statSync(join(folder, file)).isFile())
      .map((file) => [file, readFileSync(join(folder, file), "utf8")]),
  );
}
