/** The rtc agent over a browser's WebRTC: what every agent keeps, and media in sessions. */

import { agentCompliance } from "@wice/core/testing";
import { describe, expect, test as plainTest } from "vitest";
import { findChromium, launchChromium, needsChromium } from "../kit/chromium.ts";
import { servePage } from "../kit/page-site.ts";
import { openTestPage, type TestPage } from "../kit/test-page.ts";
import type { RtcFunctions, Side } from "./rtc-functions.ts";

const test = plainTest
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern what a fixture needs.
  .extend("browser", { scope: "file" }, async ({}, { onCleanup }) => {
    const path = findChromium();
    if (path === undefined) return undefined;
    const opened = new AsyncDisposableStack();
    onCleanup(() => opened.disposeAsync());
    const site = opened.use(await servePage({ entry: new URL("./page/rtc-main.ts", import.meta.url) }));
    const chromium = opened.use(await launchChromium(path));
    return { chromium, site };
  })
  .extend("page", async ({ browser, skip }, { onCleanup }): Promise<TestPage<RtcFunctions>> => {
    if (browser === undefined) return skip(needsChromium);
    const context = await browser.chromium.browser.newContext();
    const page = await openTestPage<RtcFunctions>(context, browser.site.url());
    onCleanup(() => page.close().finally(() => context.close()));
    return page;
  });

const sides: readonly Side[] = ["controlling", "controlled"];
const otherOf: Readonly<Record<Side, Side>> = { controlling: "controlled", controlled: "controlling" };

const elsewhere = (): never => {
  throw new Error("these cases run in the page");
};
const cases = agentCompliance({ setup: elsewhere, teardown: elsewhere }).map(({ name }) => name);

describe("an agent over Chromium's WebRTC", () => {
  test.for(cases)("%s", async (name, { page }) => {
    await page.call("runAgentCase", name);
  });
});

describe("a session between two peers in a page", () => {
  test.for(sides)(
    "carries a track that the %s peer adds, and its replacement without negotiation",
    async (side, { page }) => {
      await page.call("meet");
      await page.call("show", side, "red");
      await page.call("untilSeen", otherOf[side], "red");
      const before = await page.call("facts", side);
      await page.call("replace", side, "lime");
      await page.call("untilSeen", otherOf[side], "lime");
      expect(await page.call("facts", side)).toEqual(before);
      expect(before).toMatchObject({ offers: 1, answers: 0, sameConnection: true });
      await page.call("exchange");
      expect(await page.call("part")).toBe(0);
    },
  );

  test("carries tracks that both add at one moment", async ({ page }) => {
    await page.call("meet");
    await page.call("showBoth", "blue", "yellow");
    await Promise.all([page.call("untilSeen", "controlled", "blue"), page.call("untilSeen", "controlling", "yellow")]);
    await page.call("exchange");
    for (const side of sides) {
      const { statuses, sameConnection } = await page.call("facts", side);
      expect({ side, statuses, sameConnection }).toEqual({ side, statuses: [], sameConnection: true });
    }
    expect(await page.call("part")).toBe(0);
  });

  test("renegotiates again and again, in turns and together", async ({ page }) => {
    await page.call("meet");
    for (const side of sides) {
      await page.call("show", side, "red");
      await page.call("untilSeen", otherOf[side], "red");
      await page.call("hide", side);
      await page.call("untilUnseen", otherOf[side]);
    }
    for (const [ours, theirs] of [
      ["blue", "yellow"],
      ["lime", "red"],
    ] as const) {
      await page.call("showBoth", ours, theirs);
      await Promise.all([page.call("untilSeen", "controlled", ours), page.call("untilSeen", "controlling", theirs)]);
      await page.call("hideBoth");
      await Promise.all(sides.map((side) => page.call("untilUnseen", side)));
    }
    await page.call("exchange");
    for (const side of sides)
      expect(await page.call("facts", side)).toMatchObject({ statuses: [], sameConnection: true });
    expect(await page.call("part")).toBe(0);
  });

  test.for(sides)(
    "restarts ICE at the wish of the %s peer, and its channels and tracks stay",
    async (side, { page }) => {
      await page.call("meet");
      await page.call("show", side, "red");
      await page.call("untilSeen", otherOf[side], "red");
      const { tracks } = await page.call("facts", otherOf[side]);
      await page.call("restart", side);
      await page.call("exchange");
      await page.call("replace", side, "lime");
      await page.call("untilSeen", otherOf[side], "lime");
      for (const each of sides) expect(await page.call("facts", each)).toMatchObject({ sameConnection: true });
      expect(await page.call("facts", otherOf[side])).toMatchObject({ tracks });
      expect(await page.call("part")).toBe(0);
    },
  );

  test("restarts ICE and takes a track at one moment", async ({ page }) => {
    await page.call("meet");
    const restarted = page.call("restart", "controlling");
    await page.call("show", "controlled", "red");
    await Promise.all([restarted, page.call("untilSeen", "controlling", "red")]);
    await page.call("exchange");
    expect(await page.call("part")).toBe(0);
  });
});
