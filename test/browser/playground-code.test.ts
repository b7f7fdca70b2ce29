/** The code that the playground offers to copy compiles as it stands, in a project as strict as ours. */

import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { takeHome } from "../../playground/src/take-home.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** What is the reader's own. */
const given = "declare const file: File;\ndeclare const video: HTMLVideoElement;\n";

test("what there is to take home compiles as it stands", async () => {
  const folder = await mkdtemp(join(tmpdir(), "wice-take-home-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const [called, call, ...others] = takeHome(
    { url: "https://relay.example.org", own: true, serverless: false },
    undefined,
  );
  const programs = [called?.code ?? "", ...others.map(({ code }) => `${call?.code}\n${given}\n${code}`)];
  expect(programs).toHaveLength(4);
  await Promise.all([
    ...programs.map((code, i) => writeFile(join(folder, `program-${i}.ts`), code)),
    // Seen to be compiled at all.
    writeFile(join(folder, "wrong-0.ts"), `${call?.code}await session.send("text");\n`),
    writeFile(join(folder, "package.json"), '{ "type": "module" }'),
    writeFile(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: join(root, "test/tsconfig.page.json"),
        compilerOptions: { incremental: false, tsBuildInfoFile: null },
        references: [],
        include: ["*.ts"],
      }),
    ),
  ]);
  const compiling = promisify(execFile)(join(root, "node_modules/.bin/tsc"), ["-p", folder]);
  const complaints = await compiling.then(
    ({ stdout }) => stdout,
    ({ stdout }: { readonly stdout: string }) => stdout,
  );
  // Our sources are checked elsewhere: here they meet the types of a page, which are not theirs.
  const lines = complaints.split("\n").filter((line) => /^\S*(program|wrong)-/.test(line));
  expect(lines).toEqual([expect.stringMatching(/wrong-0\.ts.*TS2345/)]);
});
