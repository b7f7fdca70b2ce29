/** `test` with a browser: pages to open, all with the same script. What is opened is closed after the test. */

import type { BrowserContext } from "playwright-core";
import { test as plainTest } from "vitest";
import { type Chromium, findChromium, launchChromium, needsChromium } from "../kit/chromium.ts";
import { type PageSite, servePage } from "../kit/page-site.ts";
import { openTestPage, type TestPage, type TestPageOptions } from "../kit/test-page.ts";
import type { WebPage } from "./web-page.ts";

/** One browser and one web site for the tests of a file; undefined where there is no browser. */
export interface Scene extends AsyncDisposable {
  readonly chromium: Chromium;
  readonly site: PageSite;
  open(context: BrowserContext, options?: OpenOptions): Promise<TestPage<WebPage>>;
}

export interface OpenOptions extends TestPageOptions {
  /** The page's origin. Default `"localhost"`. */
  readonly host?: string;
}

export const pageEntry: URL = new URL("./page/main.ts", import.meta.url);

export const test = plainTest
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern what a fixture needs.
  .extend("scene", { scope: "file" }, async ({}, { onCleanup }): Promise<Scene | undefined> => {
    const path = findChromium();
    if (path === undefined) return undefined;
    const scene = await createScene(path);
    onCleanup(() => scene[Symbol.asyncDispose]());
    return scene;
  })
  /** What the pages complained of is looked at after the test. */
  .extend("browser", async ({ scene, skip }, { onCleanup }): Promise<Scene> => {
    if (scene === undefined) return skip(needsChromium);
    const pages: TestPage<WebPage>[] = [];
    onCleanup(async () => {
      const closed = await Promise.allSettled(pages.map((page) => page.close()));
      for (const result of closed) if (result.status === "rejected") throw result.reason;
    });
    return {
      ...scene,
      async open(context, options) {
        const page = await scene.open(context, options);
        pages.push(page);
        return page;
      },
    };
  })
  /** Opens a page in a window of the test's own. */
  .extend("open", async ({ browser }, { onCleanup }) => {
    let context: Promise<BrowserContext> | undefined;
    onCleanup(async () => {
      await (await context)?.close();
    });
    return async (options: OpenOptions = {}): Promise<TestPage<WebPage>> => {
      context ??= browser.chromium.browser.newContext();
      return await browser.open(await context, options);
    };
  });

async function createScene(path: string): Promise<Scene> {
  await using opened = new AsyncDisposableStack();
  const [chromium, site] = await Promise.all([
    launchChromium(path).then((started) => opened.use(started)),
    servePage({ entry: pageEntry }).then((started) => opened.use(started)),
  ]);
  const parts = opened.move();
  return {
    chromium,
    site,
    open: (context, { host, ...options } = {}) => openTestPage<WebPage>(context, site.url(host), options),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
