/** `test` for pages that run the program of @wice/web's README: a relay, and a browser to talk with them through it. */

import { type Backend, createBackend, generatePrivateKey, PublicKey } from "@wice/core";
import { createGrpcTransport } from "@wice/node";
import { createRelay, type Relay } from "@wice/node/relay";
import type { Browser } from "playwright-core";
import { expect, test as plainTest } from "vitest";
import { type Chromium, findChromium, launchChromium, needsChromium } from "../kit/chromium.ts";
import { openTestPage } from "../kit/test-page.ts";

export const test = plainTest
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern what a fixture needs.
  .extend("relay", { scope: "file" }, async ({}, { onCleanup }): Promise<Relay> => {
    const relay = await createRelay();
    onCleanup(() => relay.close({ graceMs: 0 }));
    return relay;
  })
  // biome-ignore lint/correctness/noEmptyPattern: as above.
  .extend("chromium", { scope: "file" }, async ({}, { onCleanup }): Promise<Chromium | undefined> => {
    const path = findChromium();
    if (path === undefined) return undefined;
    const chromium = await launchChromium(path);
    onCleanup(() => chromium[Symbol.asyncDispose]());
    return chromium;
  })
  /** Opens the page in a window of its own; resolves when a message has been delivered to it and it shows it. */
  .extend("converse", ({ chromium, relay, skip }) => {
    const { browser } = chromium ?? skip(needsChromium);
    return async (url: string): Promise<void> => {
      await using backend = createBackend(createGrpcTransport({ url: relay.url }));
      await conversation(browser, url, backend);
    };
  });

async function conversation(browser: Browser, url: string, backend: Backend): Promise<void> {
  const context = await browser.newContext();
  try {
    await using opened = await openTestPage<Record<never, never>>(context, url);
    const shown = async (pattern: RegExp): Promise<string> => {
      const text = () => opened.page.textContent("body");
      await expect.poll(text, { timeout: 15_000, message: opened.problems.join("\n") }).toMatch(pattern);
      return pattern.exec((await text()) ?? "")?.[1] ?? "";
    };
    const theirs = PublicKey.parse(await shown(/I am (\S{43}=)/));
    const payload = new TextEncoder().encode("hello page");
    await backend.publish({ ours: generatePrivateKey(), theirs }, { payload }, { until: "delivered" });
    await shown(/got (hello page)/);
  } finally {
    await context.close();
  }
}
