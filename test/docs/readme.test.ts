import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { createRelay } from "@wice/node/relay";
import { afterAll, describe, expect, test } from "vitest";
import { readSnippets, root, type Snippet } from "./snippets.ts";

const run = promisify(execFile);
const pages = [
  "README.md",
  "packages/core/README.md",
  "packages/node/README.md",
  "packages/web/README.md",
  "docs/backends.md",
];

/** Programs that run in pages: test/packaging and test/browser see to them. */
function isForBrowsers(page: string, code: string): boolean {
  return page === "packages/web/README.md" || code.includes("@wice/web");
}

/** Programs that belong together begin with the names of their files. */
function nameOf(code: string): string | undefined {
  return /^\/\/ (\w+\.ts)\n/.exec(code)?.[1];
}

// Inside the workspace, so that a snippet finds the packages as a user's program does.
const parent = join(root, ".cache");
mkdirSync(parent, { recursive: true });
const folder = mkdtempSync(join(parent, "docs-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function runScript({ code }: Snippet): Promise<string> {
  const file = join(mkdtempSync(join(folder, "ts-")), "snippet.ts");
  writeFileSync(file, code);
  const { stdout } = await run(process.execPath, ["--conditions=@wice/source", file], { timeout: 30_000 });
  return stdout;
}

/** A shell snippet, on a port of its own, with the command from this workspace. */
async function runShell({ code }: Snippet): Promise<string> {
  const cwd = mkdtempSync(join(folder, "sh-"));
  const path = `${join(root, "node_modules", ".bin")}:${process.env.PATH}`;
  const port = String(await freePort());
  // With job control, as in a terminal: `kill %1` reaches what npx started. Nothing outlives a script that fails.
  const prelude = 'set -em\nnpx() { "$@"; }\ntrap "kill \\$(jobs -p) 2>/dev/null || true" EXIT\n';
  const script = prelude + code.replaceAll("8080", port);
  const { stdout } = await run("bash", ["-c", script], { cwd, timeout: 60_000, env: { ...process.env, PATH: path } });
  return stdout;
}

for (const page of pages) {
  describe(page, () => {
    const snippets = readSnippets(page);

    const programs = snippets.filter(({ language, code }) => language === "ts" && !isForBrowsers(page, code));
    test.each(programs.filter(({ code }) => nameOf(code) === undefined))(
      "the program at line $line runs",
      async (snippet) => {
        const output = await runScript(snippet);
        if (snippet.prints !== undefined) expect(output).toBe(snippet.prints);
      },
    );

    // What installs packages or runs the whole test line is seen to by CI itself.
    const shell = snippets.filter(({ language, code }) => language === "sh" && !/npm (ci|install|start)/.test(code));
    test.each(shell)("the commands at line $line work", async (snippet) => {
      const output = await runShell(snippet);
      if (snippet.prints !== undefined) expect(output).toBe(snippet.prints);
    });

    test("its links lead somewhere", () => {
      const content = readFileSync(join(root, page), "utf8");
      const links = [...content.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link]) => link as string);
      expect(links.filter((link) => !existsSync(join(root, dirname(page), link)))).toEqual([]);
    });
  });
}

test("README's two programs talk, each a process of its own", async () => {
  const files = new Map(
    readSnippets("README.md").flatMap(({ code }) => {
      const name = nameOf(code);
      return name === undefined ? [] : [[name, code] as const];
    }),
  );
  expect([...files.keys()]).toEqual(["answer.ts", "call.ts"]);
  const cwd = mkdtempSync(join(folder, "two-"));
  for (const [name, code] of files) writeFileSync(join(cwd, name), code);
  await using relay = await createRelay();
  const options = { cwd, env: { ...process.env, RELAY: relay.url } };
  const node = [process.execPath, "--conditions=@wice/source"] as const;
  const answering = spawn(node[0], [node[1], "answer.ts"], { ...options, stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [line] = (await once(createInterface(answering.stdout), "line")) as [string];
    const [, , program, key] = line.split(" ") as [string, string, string, string];
    const { stdout } = await run(node[0], [node[1], program, key], { ...options, timeout: 30_000 });
    expect(stdout).toBe("hello\n");
  } finally {
    answering.kill();
    await once(answering, "exit");
  }
});

test("README's lines for testing and starting are the scripts that exist", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const lines = readSnippets("README.md").flatMap(({ code }) => code.split("\n"));
  expect(lines).toContain("npm ci && npm start");
  expect(lines).toContain("npm ci && npm run setup && npm test");
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(["start", "setup", "test"]));
  expect(readFileSync(join(root, ".ci/run"), "utf8")).toMatch(/npm ci[\s\S]*npm run setup[\s\S]*npm test/);
});
