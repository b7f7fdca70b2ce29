/** The playground's other ways in: two tabs without a server, two browsers through a relay, links; and access for everybody. */

import { randomBytes } from "node:crypto";
import { parsePrivateKey } from "@wice/core";
import axe from "axe-core";
import type { BrowserContext, Page } from "playwright-core";
import { expect } from "vitest";
import {
  card,
  connected,
  hangUp,
  lanAddress,
  openOtherBrowser,
  openPage,
  press,
  publicKey,
  seesFrames,
  test,
  write,
} from "./playground-scene.ts";

const fileBytes = 50 * 1_048_576;

async function linkOf(page: Page): Promise<string> {
  return (await page.getByRole("link", { name: /#peer=/ }).getAttribute("href")) ?? "";
}

/** Chooses a file of random bytes, made in the page. Resolves with its SHA-256. */
async function chooseRandom(page: Page, from: string): Promise<string> {
  return await page.evaluate<string>(`(async () => {
    const bytes = new Uint8Array(${fileBytes});
    for (let at = 0; at < bytes.length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    const input = document.querySelector("#${from} input[type=file]");
    const given = new DataTransfer();
    given.items.add(new File([bytes], "random.bin"));
    input.files = given.files;
    input.dispatchEvent(new Event("change"));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  })()`);
}

/** What axe holds against the page, as text. */
async function accessProblems(page: Page): Promise<readonly string[]> {
  // By the debugger, which a strict policy does not hold off.
  await page.evaluate(axe.source);
  return await page.evaluate<
    string[]
  >(`axe.run().then(({ passes, violations }) => passes.length < 10 ? ["axe saw no page"] :
    violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html, failureSummary }) => html + failureSummary).join("\\n")))`);
}

test("two tabs meet by a link, without any server, and each has a key of its own", async ({ playground, window }) => {
  const first = await openPage(window, `${playground.url}?way=tabs`);
  const link = await linkOf(first);
  const key = await publicKey(first, "this tab");
  expect(new URLSearchParams(new URL(link).hash.slice(1)).get("peer")).toBe(key);
  const second = await openPage(window, link);
  for (const tab of [first, second]) await connected(tab);
  expect(await publicKey(second, "the other tab")).toBe(key);
  expect(await publicKey(first, "the other tab")).toBe(await publicKey(second, "this tab"));
  // Of those that leave for the other tab, the page knows what it has put in.
  for (const tab of [first, second])
    for (const kind of ["offer", "answer"]) await tab.getByText(kind, { exact: true }).first().waitFor();
  await write(first, "this tab", "from tab to tab");
  await card(second, "this tab").locator(".received").getByText("from tab to tab").waitFor();

  // Who is let in once is the only one.
  const third = await openPage(window, link);
  await card(third, "Connection")
    .getByText(/has not answered/)
    .waitFor({ timeout: 15_000 });
  await connected(first);
});

test("a tab that is closed without notice is missed, and found again when it is back", async ({
  playground,
  window,
}) => {
  const first = await openPage(window, `${playground.url}?way=tabs`);
  const link = await linkOf(first);
  const second = await openPage(window, link);
  for (const tab of [first, second]) await connected(tab);
  await second.goto("about:blank");
  await card(first, "Connection")
    .getByText(/reconnecting|closed|nobody|not heard/)
    .first()
    .waitFor({ timeout: 20_000 });
  await second.goto(link);
  await connected(second);
  await connected(first);
  await write(second, "this tab", "back again");
  await card(first, "this tab").locator(".received").getByText("back again").waitFor();
});

test("one that does not come back can be called again when it is given up", async ({ playground, window }) => {
  await window.clock.install();
  const first = await openPage(window, `${playground.url}?way=tabs`);
  const second = await openPage(window, await linkOf(first));
  for (const tab of [first, second]) await connected(tab);
  await second.goto("about:blank");
  await card(first, "Connection").getByText("reconnecting", { exact: true }).waitFor({ timeout: 20_000 });
  await first.clock.fastForward(70_000);
  await card(first, "Connection")
    .getByText("The path was lost, and none was found for too long. Connect again.")
    .waitFor();
  expect(await first.getByRole("button", { name: "Close", exact: true }).isDisabled()).toBe(true);
  await press(first, "Connect");
  await card(first, "Timeline").getByText("a session is wanted").waitFor();
});

test("two browsers meet through a relay: a file of 50 MB, a call in both directions, ICE restarts under traffic", {
  timeout: 120_000,
}, async ({ playground, window }) => {
  const first = await openPage(window, `${playground.url}?way=devices`);
  const second = await openPage(await openOtherBrowser(), await linkOf(first));
  for (const page of [first, second]) await connected(page);
  const digest = await chooseRandom(first, "alice");
  await press(first, "Restart ICE");
  await card(second, "this device").getByText(digest).waitFor({ timeout: 60_000 });
  await card(first, "this device")
    .getByText(/^arrived in/)
    .waitFor();
  for (const page of [first, second])
    await card(page, "this device").getByRole("button", { name: "Call with video" }).click();
  for (const page of [first, second]) await seesFrames(page, "the other device");

  await press(second, "Restart ICE");
  await write(second, "this device", "while it restarts");
  await card(first, "this device").locator(".received").getByText("while it restarts").waitFor();
  await hangUp(first);
  await card(second, "Connection").getByText("closed", { exact: true }).waitFor();
  await press(second, "Connect");
  for (const page of [first, second]) await connected(page);
});

test("a page can be called by a pasted key as well, and says what is no link", async ({ playground, window }) => {
  const first = await openPage(window, `${playground.url}?way=devices`);
  const second = await openPage(window, `${playground.url}?way=devices`);
  const field = second.getByLabel("Or call somebody: a link, or a public key");
  await field.fill("alice@example.org");
  await field.press("Enter");
  await second.getByText(/neither a link of this page nor a public key/).waitFor();
  await field.fill(await publicKey(first, "this device"));
  await field.press("Enter");
  for (const page of [first, second]) await connected(page);

  const third = await openPage(window, `${playground.url}?way=devices`);
  const link = new URL(await linkOf(third));
  link.searchParams.set("relay", "https://relay.example.org");
  await third.getByLabel("Or call somebody: a link, or a public key").fill(link.href);
  await press(third, "Connect");
  await third.getByText(/^That link meets somewhere else/).waitFor();
  // As somebody does who pastes a link into the tab of the page: browsers load nothing for that.
  await third.goto(`${playground.url}?way=devices#peer=abc`);
  await third.getByText(/^The link is damaged/).waitFor();
  await third.goto(
    `${playground.url}?way=devices#${new URLSearchParams({ peer: await publicKey(second, "this device") })}`,
  );
  await card(third, "the other device")
    .getByText(await publicKey(second, "this device"))
    .waitFor();
});

test("of two that follow a link at the same time one is let in", async ({ playground, window }) => {
  const first = await openPage(window, `${playground.url}?way=tabs`);
  // Both are heard long before either is connected.
  await first.getByLabel("Delay").fill("2000");
  const link = await linkOf(first);
  const others = await Promise.all([openPage(window, link), openPage(window, link)]);
  const isIn = (page: Page): Promise<boolean> =>
    card(page, "Connection").getByText("connected", { exact: true }).isVisible();
  const isOut = (page: Page): Promise<boolean> =>
    card(page, "Connection")
      .getByText(/somebody else came first/)
      .isVisible();
  await expect
    .poll(
      async () =>
        [await Promise.all(others.map(isIn)), await Promise.all(others.map(isOut))].map(
          (seen) => seen.filter(Boolean).length,
        ),
      { timeout: 20_000 },
    )
    .toEqual([1, 1]);
  const [guest] = (await isIn(others[0])) ? [others[0]] : [others[1]];
  await connected(first);
  expect(await publicKey(first, "the other tab")).toBe(await publicKey(guest, "this tab"));
});

test("a device that others can reach shows its link as a QR code", async ({ playground, window }) => {
  const page = await openPage(window, `${playground.url.replace("localhost", lanAddress)}?way=devices`);
  await page.getByRole("img", { name: "The link as a QR code" }).waitFor();
});

test("a page on localhost shows none, and says how others could reach it", async ({ playground, window }) => {
  const page = await openPage(window, `${playground.url}?way=devices`);
  await page.getByText(/Another device cannot reach this address\..*npm start -- --https/).waitFor();
  expect(await page.getByRole("img", { name: "The link as a QR code" }).count()).toBe(0);
});

test("keys can be made anew, and one be brought and taken along; one that was made here nobody can read", async ({
  playground,
  window,
}) => {
  const page = await openPage(window, `${playground.url}?way=devices`);
  const made = await publicKey(page, "this device");
  await press(page, "Make new keys");
  await page.getByText(/^The keys of this tab are lost then/).waitFor();
  await press(page, "Yes, make new keys");
  await page.getByText("This tab has new keys.").waitFor();
  await expect.poll(() => publicKey(page, "this device").catch(() => made), { timeout: 10_000 }).not.toBe(made);

  await page.getByText("Bring a key, or take it along").click();
  await press(page, "Show ours");
  await page.getByText(/^This key was made here/).waitFor();
  const field = page.getByLabel("Private key of this device");
  await field.fill("not a key");
  await press(page, "Use it");
  await page.getByText(/^That is no private key/).waitFor();
  const text = randomBytes(32).toString("base64");
  await field.fill(text);
  await press(page, "Use it");
  await card(page, "this device").getByText(parsePrivateKey(text).publicKey.toString()).waitFor();
  await page.getByText("Now this device has the key that was brought.").waitFor();
  await page.getByText("Bring a key, or take it along").click();
  await press(page, "Show ours");
  await expect.poll(() => field.inputValue()).toBe(text);
  await page.getByText("Bring a key, or take it along").click();
  await expect.poll(() => field.inputValue()).toBe("");
});

test("axe finds nothing to complain of: each way, light and dark, with a call and an open envelope", async ({
  playground,
  chromium,
}) => {
  for (const colorScheme of ["light", "dark"] as const) {
    const window: BrowserContext = await chromium.browser.newContext({ colorScheme });
    try {
      const page = await openPage(window, playground.url);
      await connected(page);
      await write(page, "alice", "for axe");
      await card(page, "bob").locator(".received").waitFor();
      await card(page, "alice").getByRole("button", { name: "Call with video" }).click();
      await card(page, "bob").locator("video").waitFor();
      await card(page, "Envelopes").getByRole("button").first().click();
      await page.getByText("Candidate pairs").click();
      expect(await accessProblems(page)).toEqual([]);
      for (const way of ["tabs", "devices"]) {
        await page.goto(`${playground.url}?way=${way}`);
        await linkOf(page);
        expect(await accessProblems(page)).toEqual([]);
      }
    } finally {
      await window.close();
    }
  }
});
