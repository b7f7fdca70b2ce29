/** What users would install: each published package as npm packs it, read by publint and by attw. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./command.ts";
import { pack } from "./pack.ts";
import { publishedPackages } from "./workspace.ts";

export async function checkTarballs(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "wice-tarballs-"));
  try {
    for (const { folder } of publishedPackages()) {
      const tarball = await pack(folder, scratch);
      await run("publint", ["run", tarball, "--strict"]);
      await run("attw", [tarball, "--profile", "esm-only", "--no-definitely-typed", "--no-emoji"]);
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
