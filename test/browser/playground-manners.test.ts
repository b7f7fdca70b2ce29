/** What the playground spares people: false alarms, a focus that is lost, a camera that is on unasked, files that stay. */

import type { BrowserContext, Page } from "playwright-core";
import { expect } from "vitest";
import { card, connected, hangUp, openPage, press, seesFrames, test, write } from "./playground-scene.ts";

/** Writes down what this selector's elements say, each time it changes. */
async function watch(window: BrowserContext, selectors: readonly string[]): Promise<void> {
  await window.addInitScript(`
    globalThis.said = new Set();
    new MutationObserver(() => {
      for (const selector of ${JSON.stringify(selectors)})
        for (const { textContent } of document.querySelectorAll(selector)) if (textContent !== "") said.add(textContent);
    }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  `);
}

const said = (page: Page): Promise<string[]> => page.evaluate<string[]>("[...said]");

const focused = (page: Page): Promise<string> => page.evaluate<string>("document.activeElement.textContent");

test("nothing looks broken while it connects", async ({ playground, window }) => {
  await watch(window, [
    "#connection [role=status]",
    "#connection [data-slot=verdict]",
    "[data-slot=connect]:not([hidden])",
  ]);
  const page = await openPage(window, playground.url);
  await connected(page);
  for (const words of await said(page))
    expect(words).toMatch(/^(connecting|connected|Getting ready\.|.* Wait a moment\.|Data flows .*)$/);
});

test("of a peer that has crashed nothing is shown any more", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  await page.evaluate(`
    globalThis.said = new Set();
    new MutationObserver(() => said.add(document.querySelector("#bob [data-slot=state]").textContent))
      .observe(document.querySelector("#bob"), { subtree: true, childList: true, characterData: true });
  `);
  await press(page, "Restart bob");
  await card(page, "bob").getByText("subscribed", { exact: true }).waitFor();
  await card(page, "Timeline").getByText("moved", { exact: true }).waitFor();
  expect(await said(page)).toEqual(["connecting", "subscribed"]);
});

test("the keyboard goes on where it was: from Close to Connect and back, and while it measures", async ({
  playground,
  window,
}) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  await page.getByRole("button", { name: "Measure speed" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText(/^As much as the other side takes/).waitFor();
  expect(await focused(page)).toBe("Measure speed");
  await page.getByRole("button", { name: "Close", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Connect", exact: true }).waitFor();
  expect(await focused(page)).toBe("Connect");
  await page.keyboard.press("Enter");
  await connected(page);
  expect(await focused(page)).toBe("Close");
});

test("who hangs up before the camera may be used is not seen", async ({ playground, window }) => {
  await window.addInitScript(`
    const { mediaDevices } = navigator;
    const open = mediaDevices.getUserMedia.bind(mediaDevices);
    globalThis.tracks = [];
    mediaDevices.getUserMedia = async (wanted) => {
      await new Promise((resolve) => addEventListener("allow", resolve));
      const stream = await open(wanted);
      tracks.push(...stream.getTracks());
      return stream;
    };
  `);
  const page = await openPage(window, playground.url);
  await connected(page);
  const call = card(page, "alice").locator("[data-slot=call]");
  await call.click();
  await call.click();
  await page.evaluate(`dispatchEvent(new Event("allow"))`);
  await expect
    .poll(() => page.evaluate<string[]>("tracks.map(({ readyState }) => readyState)"))
    .toEqual(["ended", "ended"]);
  expect(await card(page, "bob").locator("video").isVisible()).toBe(false);

  await call.click();
  await page.evaluate(`dispatchEvent(new Event("allow"))`);
  await seesFrames(page, "bob");
});

test("a call outlives a restart of who sees it, and can be left meanwhile", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  await card(page, "alice").getByRole("button", { name: "Call with video" }).click();
  await seesFrames(page, "bob");
  await press(page, "Restart bob");
  await card(page, "bob").locator("video").waitFor({ state: "hidden" });
  expect(await card(page, "alice").getByRole("button", { name: "Hang up" }).isEnabled()).toBe(true);
  await card(page, "Timeline").getByText("moved", { exact: true }).waitFor();
  await seesFrames(page, "bob");
  await card(page, "alice").getByRole("button", { name: "Hang up" }).click();
  await card(page, "bob").locator("video").waitFor({ state: "hidden" });
});

test("a file goes from memory with its line", async ({ playground, window }) => {
  await window.addInitScript(`
    globalThis.revoked = [];
    const revoke = URL.revokeObjectURL;
    URL.revokeObjectURL = (url) => { revoked.push(url); revoke(url); };
  `);
  const page = await openPage(window, playground.url);
  await connected(page);
  const file = { name: "hello.txt", mimeType: "text/plain", buffer: Buffer.from("hello") };
  await card(page, "alice").locator("input[type=file]").setInputFiles(file);
  const save = card(page, "bob").getByRole("link", { name: "Save hello.txt" });
  await save.waitFor();
  const url = await save.getAttribute("href");
  await page.evaluate(`{
    const form = document.querySelector("#alice form");
    for (let i = 0; i < 100; i++) {
      form.elements.text.value = "line " + i;
      form.requestSubmit();
    }
  }`);
  await save.waitFor({ state: "detached" });
  expect(await page.evaluate("revoked")).toContain(url);
});

test("who reads what was written before is not taken away from it", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await hangUp(page);
  for (let i = 0; i < 12; i++) await write(page, "alice", `line ${i}`);
  const conversation = card(page, "bob").getByRole("log");
  await conversation.getByText("line 11").waitFor();
  const scrolled = (): Promise<number> => conversation.evaluate((box: { readonly scrollTop: number }) => box.scrollTop);
  expect(await scrolled()).toBeGreaterThan(100);
  await conversation.evaluate((box: { scrollTop: number }) => {
    box.scrollTop = 0;
  });
  await write(page, "alice", "one more");
  await conversation.getByText("one more").waitFor();
  expect(await scrolled()).toBe(0);
});
