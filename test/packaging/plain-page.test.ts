import { insecureHost } from "../kit/chromium.ts";
import { createFreshProject, needsRegistry } from "./fresh-project.ts";
import { test as pageTest } from "./page-test.ts";
import { readmeProgram } from "./readme-program.ts";
import { serveFolder } from "./serve-folder.ts";

const test = pageTest
  .extend("installed", { scope: "file" }, async ({ relay }, { onCleanup }) => {
    const project = await createFreshProject({ ours: ["@wice/core", "@wice/web"] });
    if (project === undefined) return undefined;
    onCleanup(() => project[Symbol.asyncDispose]());
    await project.write("index.html", readmeProgram("html", relay.url));
    return project;
  })
  .extend("project", ({ installed, skip }) => installed ?? skip(needsRegistry));

test.for(["localhost", insecureHost])(
  "a page without a build talks through a relay (on %s)",
  async (host, { project, converse }) => {
    await using site = await serveFolder(project.folder);
    await converse(site.url(host));
  },
);
