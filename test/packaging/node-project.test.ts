import { afterAll, beforeAll, describe, expect, test as plainTest } from "vitest";
import { readSnippets } from "../docs/snippets.ts";
import { run } from "../tools/command.ts";
import { publishedPackages } from "../tools/workspace.ts";
import { entriesOf, exportAll } from "./entries.ts";
import { createFreshProject, type FreshProject, needsRegistry } from "./fresh-project.ts";

const ours = ["@wice/core", "@wice/node"];

/** The oldest Node that the packages promise to run on, the newest of that line, and the one of the workspace. */
const versions = [`${oldestNode()}.0`, "22.23.3", process.versions.node];

/** As strict as users may have it, with as little as a project in Node has. */
const tsconfig = {
  compilerOptions: {
    ...{ target: "ES2023", lib: ["ES2023"], module: "NodeNext", types: ["node"], rootDir: "src", outDir: "dist" },
    ...{ strict: true, skipLibCheck: false, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ verbatimModuleSyntax: true, moduleDetection: "force" },
  },
  include: ["src"],
};

describe.each(versions)("a fresh project with Node %s", (version) => {
  let installed: FreshProject | undefined;
  beforeAll(async () => {
    installed = await createFreshProject({
      ours,
      tools: ["typescript", "@types/node", "node-datachannel"],
      others: { [`node-${process.platform}-${process.arch}`]: version },
    });
  });
  afterAll(() => installed?.[Symbol.asyncDispose]());
  const test = plainTest.extend("project", ({ skip }): FreshProject => installed ?? skip(needsRegistry));

  test("compiles and runs what the READMEs show", async ({ project }) => {
    const programs = ["packages/core/README.md", "packages/node/README.md"]
      .flatMap(readSnippets)
      .filter(({ language }) => language === "ts");
    for (const [index, { code }] of programs.entries()) await project.write(`src/program-${index}.ts`, code);
    await project.write("src/all.ts", exportAll(ours));
    await project.write("tsconfig.json", tsconfig);
    await project.run("tsc");

    expect(await project.run("node", "--version")).toBe(`v${version}\n`);
    await project.run("node", "dist/all.js");
    for (const [index, { prints }] of programs.entries()) {
      const printed = await project.run("node", `dist/program-${index}.js`);
      if (prints !== undefined) expect(printed).toBe(prints);
    }
    expect(programs.map(({ prints }) => prints)).toContain("true hello\n");
  });

  test("has the command wice", async ({ project }) => {
    const printed = await run("npx", ["--no", "--", "wice", "--help"], { cwd: project.folder });
    expect(printed).toMatch(/^wice: [\s\S]*Usage:\n {2}wice COMMAND/);
  });

  test("gets the packages by require, without a warning", async ({ project }) => {
    const lines = entriesOf(ours).map((entry) => `console.log(Object.keys(require("${entry}")).length > 0);`);
    await project.write("all.cjs", lines.join("\n"));
    expect(await project.run("node", "all.cjs")).toBe("true\n".repeat(lines.length));
  });
});

/** `"22.19"`. */
function oldestNode(): string | undefined {
  const [first] = publishedPackages();
  return first?.manifest.engines?.node?.replace(">=", "");
}
