/** `test` with browser processes, a page with sessions to open in them, and a relay as a process of its own. */

import { test as plainTest } from "vitest";
import { type Chromium, findChromium, launchChromium, needsChromium } from "../kit/chromium.ts";
import { type PageSite, servePage } from "../kit/page-site.ts";
import { type RelayProcess, startRelayProcess } from "../kit/relay-process.ts";
import type { SessionFunctions } from "../kit/session-functions.ts";
import { openTestPage, type TestPage } from "../kit/test-page.ts";

export interface SessionScene extends AsyncDisposable {
  readonly relay: RelayProcess;
  /** Two browser processes, which know nothing of each other. */
  readonly browsers: readonly [Chromium, Chromium];
  /** Another one, for the test to end. */
  launch(): Promise<Chromium>;
  /** A page, in a window of its own. */
  open(browser: Chromium): Promise<SessionPage>;
}

export type SessionPage = TestPage<SessionFunctions>;

const pageEntry = new URL("./page/session-main.ts", import.meta.url);

export const test = plainTest
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern what a fixture needs.
  .extend("scene", { scope: "file" }, async ({}, { onCleanup }): Promise<SessionScene | undefined> => {
    const path = findChromium();
    if (path === undefined) return undefined;
    const scene = await createScene(path);
    onCleanup(() => scene[Symbol.asyncDispose]());
    return scene;
  })
  .extend("sessions", ({ scene, skip }): SessionScene => scene ?? skip(needsChromium));

async function createScene(path: string): Promise<SessionScene> {
  await using opened = new AsyncDisposableStack();
  const keep = <Part extends AsyncDisposable>(part: Part): Part => opened.use(part);
  const launch = (): Promise<Chromium> => launchChromium(path);
  const [relay, site, one, other] = await Promise.all([
    startRelayProcess().then(keep<RelayProcess>),
    servePage({ entry: pageEntry }).then(keep<PageSite>),
    launch().then(keep),
    launch().then(keep),
  ]);
  const parts = opened.move();
  return {
    ...{ relay, browsers: [one, other], launch },
    async open({ browser }) {
      const page = await openTestPage<SessionFunctions>(await browser.newContext(), site.url());
      const { close } = page;
      return Object.assign(page, {
        async [Symbol.asyncDispose]() {
          const context = page.page.context();
          await close().finally(() => context.close());
        },
      });
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
