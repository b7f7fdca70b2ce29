/** `npm run screenshot`: takes README's picture of the playground anew, docs/playground.png. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Page } from "playwright-core";
import { findChromium, launchChromium, needsChromium } from "../kit/chromium.ts";
import { root } from "./command.ts";

const file = `${root}docs/playground.png`;
const maxBytes = 200_000;

const path = findChromium();
if (path === undefined) throw new Error(needsChromium);
const args = ["--conditions=@wice/source", `${root}playground/start.ts`, "--relay-port", "0"];
const playground = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
try {
  await using chromium = await launchChromium(path, ["--hide-scrollbars"]);
  const context = await chromium.browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
  const page = await context.newPage();
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto(await urlOf(playground.stdout));
  await page.locator("#connection").getByText("connected", { exact: true }).waitFor();
  await say(page, "alice", "bob", "Lunch at 12:30?");
  await say(page, "bob", "alice", "Yes. Where we were last week?");
  const menu = { name: "menu.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(2_000_000, 1) };
  await page.locator("#alice input[type=file]").setInputFiles(menu);
  await page
    .locator("#bob")
    .getByText(/^SHA-256/)
    .waitFor();
  await page.getByRole("button", { name: "Measure speed" }).click();
  await page.getByText(/^The other side got/).waitFor();
  // The curves have one point for each second.
  await page.locator("#connection").getByText(/peak/).first().waitFor();
  await page.evaluate("document.activeElement.blur()");
  await page.mouse.move(0, 0);
  await page.screenshot({ path: file });
} finally {
  playground.kill("SIGTERM");
  await once(playground, "exit");
}
const { size } = await stat(file);
if (size > maxBytes) throw new Error(`${file} has ${size} bytes; README's pictures have at most ${maxBytes}`);

async function say(page: Page, from: string, to: string, text: string): Promise<void> {
  const field = page.getByLabel(`${from} writes to ${to}`);
  await field.fill(text);
  await field.press("Enter");
  await page.locator(`#${to} .received`).getByText(text).waitFor();
  await page
    .locator(`#${from}`)
    .getByText(/^delivered/)
    .waitFor();
}

async function urlOf(stdout: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stdout })) {
    const [, url] = /Open (\S+)/.exec(line) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error("npm start ended at once");
}
