import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { startProcess } from "../cli/wice-process.ts";
import { insecureHost } from "../kit/chromium.ts";
import { exportAll } from "./entries.ts";
import { createFreshProject, type FreshProject, needsRegistry } from "./fresh-project.ts";
import { test as pageTest } from "./page-test.ts";
import { readmeProgram } from "./readme-program.ts";
import { serveFolder } from "./serve-folder.ts";

/** What Vite gives a new project, but for the types of dependencies, which it does not check. */
const tsconfig = {
  compilerOptions: {
    ...{ target: "es2023", module: "esnext", lib: ["ES2023", "DOM"], types: ["vite/client"], noEmit: true },
    ...{ moduleResolution: "bundler", allowImportingTsExtensions: true, verbatimModuleSyntax: true },
    ...{ moduleDetection: "force", strict: true, noUnusedLocals: true, noUnusedParameters: true },
    ...{ erasableSyntaxOnly: true, noFallthroughCasesInSwitch: true, skipLibCheck: false },
  },
  include: ["src"],
};

const html = `<!doctype html><html lang="en"><title>wice</title><body><script type="module" src="/src/main.ts"></script>`;

const test = pageTest
  .extend("installed", { scope: "file" }, async ({ relay }, { onCleanup }): Promise<FreshProject | undefined> => {
    const project = await createFreshProject({ ours: ["@wice/core", "@wice/web"], tools: ["typescript", "vite"] });
    if (project === undefined) return undefined;
    onCleanup(() => project[Symbol.asyncDispose]());
    await project.write("index.html", html);
    await project.write("src/main.ts", readmeProgram("ts", relay.url));
    await project.write("src/all.ts", exportAll(["@wice/core", "@wice/web"]));
    await project.write("tsconfig.json", tsconfig);
    return project;
  })
  .extend("project", ({ installed, skip }) => installed ?? skip(needsRegistry));

const builtTest = test
  .extend("built", { scope: "file" }, async ({ installed }) => installed?.run("vite", "build"))
  .extend("dist", ({ built: _, project }) => join(project.folder, "dist"))
  .extend("site", async ({ dist, relay }, { onCleanup }) => {
    // As the README says.
    const policy = `default-src 'none'; script-src 'self'; connect-src ${relay.url}`;
    const site = await serveFolder(dist, { policy });
    onCleanup(() => site[Symbol.asyncDispose]());
    return site;
  });

describe("a fresh project with Vite", () => {
  test("compiles, with the types of its dependencies checked", async ({ project }) => {
    expect(await project.run("tsc")).toBe("");
  });

  describe("is built into a page", () => {
    builtTest(
      "that talks through a relay, and loads neither a curve nor gRPC-Web",
      async ({ dist, site, converse }) => {
        await converse(site.url());
        const idle = (await scriptsOf(dist)).filter(({ path }) => !site.served.includes(path));
        expect(idle.map(({ path }) => path)).toEqual([
          expect.stringMatching(/^\/assets\/grpc-web-calls-/),
          expect.stringMatching(/^\/assets\/plain-keys-/),
        ]);
        // Not empty files beside a page that has it all.
        for (const { bytes } of idle) expect(bytes).toBeGreaterThan(15_000);
      },
    );

    builtTest("that talks through a relay where the browser has no curve", async ({ dist, site, converse }) => {
      await converse(site.url(insecureHost));
      const idle = (await scriptsOf(dist)).map(({ path }) => path).filter((path) => !site.served.includes(path));
      expect(idle).toEqual([expect.stringMatching(/^\/assets\/grpc-web-calls-/)]);
    });
  });

  test("is served while one works on it", async ({ project, converse }) => {
    const args = ["--host", "127.0.0.1", "--port", "0"];
    await using vite = await startProcess(join(project.folder, "node_modules/.bin/vite"), args, {
      cwd: project.folder,
      // Vite colours the port of its URL where CI is set.
      env: { NO_COLOR: "1" },
    });
    const [url] = await vite.until("stdout", /http:\/\/127\.0\.0\.1:\d+\//);
    await converse(url);
  });
});

async function scriptsOf(dist: string): Promise<readonly { path: string; bytes: number }[]> {
  const names = (await readdir(join(dist, "assets"))).filter((name) => name.endsWith(".js"));
  return Promise.all(
    names
      .sort()
      .map(async (name) => ({ path: `/assets/${name}`, bytes: (await stat(join(dist, "assets", name))).size })),
  );
}
