/** The committed code is what the .proto files generate today. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, run } from "./command.ts";

const generated = "packages/core/src/gen";

export async function checkGenerated(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "wice-generated-"));
  try {
    await run("buf", ["generate", "--output", join(scratch, "proto")], { cwd: `${root}proto` });
    const fresh = readTree(join(scratch, generated));
    const committed = readTree(`${root}${generated}`);
    const differing = [...new Set([...fresh.keys(), ...committed.keys()])].filter(
      (file) => fresh.get(file) !== committed.get(file),
    );
    if (fresh.size === 0) throw new Error("buf generated nothing");
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
