/** The code that the playground offers to copy: it compiles as it stands, in a project as strict as ours, and it works. */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { PublicKey } from "@wice/core";
import { expect, onTestFinished } from "vitest";
import { takeHome } from "../../playground/src/take-home.ts";
import { servePage } from "../kit/page-site.ts";
import { card, connected, openPage, publicKey, test, write } from "./playground-scene.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** What is the reader's own. */
const given = "declare const file: File;\ndeclare const video: HTMLVideoElement;\n";

async function openFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "wice-take-home-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

test("what there is to take home compiles as it stands", async () => {
  const folder = await openFolder();
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

test("in a page of its own it calls the playground, writes to it, gets what that writes, and sends it a file", async ({
  playground,
  chromium,
  window,
}) => {
  const page = await openPage(window, `${playground.url}?way=devices`);
  const key = PublicKey.parse(await publicKey(page, "this device"));
  const relay = { url: new URL(playground.url).origin, own: true, serverless: false };
  const codeOf = (title: string): string => takeHome(relay, key).find((chapter) => chapter.title === title)?.code ?? "";
  const entry = join(await openFolder(), "program.ts");
  await writeFile(
    entry,
    `${codeOf("Call")}
    (async () => {
      for await (const bytes of session) document.title = new TextDecoder().decode(bytes);
    })();
    const file = new File(["out of a page of its own"], "home.txt");
    ${codeOf("Send a file").replace("const file = new Blob", "const received = new Blob")}`,
  );
  const site = await servePage({ entry: pathToFileURL(entry) });
  onTestFinished(() => site[Symbol.asyncDispose]());
  const elsewhere = await chromium.browser.newContext();
  onTestFinished(() => elsewhere.close());
  const program = await elsewhere.newPage();
  await program.goto(site.url());
  await connected(page);
  const device = card(page, "this device");
  await device.locator(".received").getByText("hello", { exact: true }).waitFor();
  const digest = createHash("sha256").update("out of a page of its own").digest("hex");
  await device.getByText(digest).waitFor();
  await write(page, "this device", "hello, program");
  await device.getByText("sent, directly: the program at the other side gives no receipts").waitFor();
  await expect.poll(() => program.title()).toBe("hello, program");
});
