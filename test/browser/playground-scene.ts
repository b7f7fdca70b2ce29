/** The playground as `npm start` serves it, and Chromium to look at it, for the tests of the page. */

import { fileURLToPath } from "node:url";
import type { BrowserContext, Locator, Page } from "playwright-core";
import { expect, onTestFinished, test as plainTest } from "vitest";
import { orEnd, startProcess, type WiceProcess } from "../cli/wice-process.ts";
import { type Chromium, findChromium, launchChromium, needsChromium } from "../kit/chromium.ts";
import { openTestPage } from "../kit/test-page.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
/** An address that leads to this machine, and is no secure context over plain HTTP. */
export const lanAddress = "192.0.2.7";
const flags = [
  `--host-resolver-rules=MAP ${lanAddress} 127.0.0.1`,
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

export interface Playground extends WiceProcess {
  /** Of the page. */
  readonly url: string;
  readonly relay: string;
}

export async function startPlayground(...options: readonly string[]): Promise<Playground> {
  const args = ["--conditions=@wice/source", "playground/start.ts", "--port", "0", "--relay-port", "0", ...options];
  const started = await startProcess(process.execPath, args, { cwd: root });
  const [, url = "", relay = ""] = await orEnd(
    started,
    started.until("stdout", /Open (\S+).*listens on (\S+).*Ctrl-C/s),
  );
  return Object.defineProperties(started, { url: { value: url }, relay: { value: relay } }) as Playground;
}

export const test = plainTest
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern what a fixture needs.
  .extend("maybeChromium", { scope: "file" }, async ({}, { onCleanup }): Promise<Chromium | undefined> => {
    const path = findChromium();
    if (path === undefined) return undefined;
    const chromium = await launchChromium(path, flags);
    onCleanup(() => chromium[Symbol.asyncDispose]());
    return chromium;
  })
  // biome-ignore lint/correctness/noEmptyPattern: as above.
  .extend("playground", { scope: "file" }, async ({}, { onCleanup }): Promise<Playground> => {
    const playground = await startPlayground();
    onCleanup(() => playground[Symbol.asyncDispose]());
    return playground;
  })
  .extend("chromium", async ({ maybeChromium, skip }): Promise<Chromium> => maybeChromium ?? skip(needsChromium))
  .extend("window", async ({ chromium }, { onCleanup }): Promise<BrowserContext> => {
    const context = await chromium.browser.newContext();
    onCleanup(() => context.close());
    return context;
  });

/** A second browser, in a process of its own. */
export async function openOtherBrowser(): Promise<BrowserContext> {
  const chromium = await launchChromium(findChromium() as string, flags);
  onTestFinished(() => chromium[Symbol.asyncDispose]());
  return await chromium.browser.newContext();
}

/** Opens the page. After the test it must have had nothing to complain of, and have asked nobody else for anything. */
export async function openPage(window: BrowserContext, url: string, ...expected: readonly RegExp[]): Promise<Page> {
  const [asked, named] = [new Set<string>(), new Set([new URL(url).origin])];
  window.on("request", (request) => {
    const { origin, searchParams } = new URL(request.url());
    asked.add(origin);
    // The page may be sent to another relay than it began with.
    const relay = URL.parse(request.isNavigationRequest() ? (searchParams.get("relay") ?? "") : "");
    if (relay?.protocol.startsWith("http")) named.add(relay.origin);
  });
  const opened = await openTestPage<Record<never, never>>(window, url, { expected });
  onTestFinished(() => opened.close());
  onTestFinished(() => {
    expect(new Set([...asked].filter((origin) => origin.startsWith("http")))).toEqual(named);
  });
  return opened.page;
}

export function card(page: Page, name: string): Locator {
  return page.getByRole("region", { name, exact: true });
}

export async function publicKey(page: Page, name: string): Promise<string> {
  const key = card(page, name).getByText(/^[A-Za-z0-9+/]{43}=$/);
  return (await key.textContent()) ?? "";
}

/** As somebody does who has no mouse. */
export async function write(page: Page, from: string, text: string): Promise<void> {
  const field = card(page, from).getByLabel(`${from} writes to`);
  await field.focus();
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

/** Both peers are subscribed at the relay. */
export async function subscribed(page: Page): Promise<void> {
  await card(page, "Relay").getByText("connected", { exact: true }).waitFor();
}

/** The session stands. */
export async function connected(page: Page, timeoutMs = 30_000): Promise<void> {
  await card(page, "Connection").getByText("connected", { exact: true }).waitFor({ timeout: timeoutMs });
}

export async function press(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name, exact: true }).click();
}

/** Ends the session, in order. */
export async function hangUp(page: Page): Promise<void> {
  await connected(page);
  await press(page, "Close");
  await page.getByRole("button", { name: "Connect", exact: true }).waitFor();
}

/** Frames of the picture that this peer sees come. */
export async function seesFrames(page: Page, name: string): Promise<void> {
  const video = card(page, name).locator("video");
  await video.waitFor();
  const time = (): Promise<number> =>
    video.evaluate((element: { readonly currentTime: number }) => element.currentTime);
  const before = await time();
  await expect.poll(async () => (await time()) - before, { timeout: 10_000 }).toBeGreaterThan(0.5);
}
