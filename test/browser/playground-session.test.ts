/** What one can do with the session of the playground: talk, send files, call, measure, break it, and see it recover. */

import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";
import { card, connected, hangUp, openPage, press, publicKey, seesFrames, test, write } from "./playground-scene.ts";

/** How often: 50 show more, and take some minutes. */
const stormRuns = Number(process.env.WICE_STORMS ?? 5);

/** Chooses a file, as its user does. */
async function choose(page: Page, from: string, name: string, buffer: Buffer): Promise<void> {
  const file = { name, mimeType: "application/octet-stream", buffer };
  await card(page, from).locator("input[type=file]").setInputFiles(file);
}

/** A file that takes seconds; made in the page. */
async function chooseLarge(page: Page, from: string, name: string): Promise<void> {
  await page.evaluate(`{
    const input = document.querySelector("#${from} input[type=file]");
    const given = new DataTransfer();
    const part = new Uint8Array(1_000_000);
    given.items.add(new File(Array.from({ length: 200 }, () => part), "${name}"));
    input.files = given.files;
    input.dispatchEvent(new Event("change"));
  }`);
}

/** What lies in the folder for downloads after that. */
async function readSaved(page: Page, act: () => Promise<void>, name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "wice-downloads-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const browser = await page.context().newCDPSession(page);
  await browser.send("Page.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
  await act();
  const read = (): Promise<string> => readFile(join(folder, name), "utf8").catch(() => "");
  await expect.poll(read, { timeout: 10_000 }).not.toBe("");
  return await read();
}

test("what is typed while the session stands goes directly, with no envelope", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  await write(page, "alice", "the first");
  await card(page, "alice")
    .getByText(/^delivered in \d+ ms, directly$/)
    .waitFor();
  const envelopes = await page.locator("#envelopes-count").textContent();
  await write(page, "bob", "<i>the second</i>");
  await card(page, "alice").locator(".received").getByText("<i>the second</i>").waitFor();
  expect(await page.locator("#envelopes-count").textContent()).toBe(envelopes);
});

test("a file arrives whole and can be saved, and either side can cancel one", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  await choose(page, "alice", "hello.txt", Buffer.from("hello, file"));
  const digest = createHash("sha256").update("hello, file").digest("hex");
  await card(page, "bob").getByText(digest).waitFor();
  const save = card(page, "bob").getByRole("link", { name: "Save hello.txt" });
  expect(await save.getAttribute("download")).toBe("hello.txt");
  expect(await readSaved(page, () => save.click(), "hello.txt")).toBe("hello, file");

  for (const [canceller, other] of [
    ["alice", "bob"],
    ["bob", "alice"],
  ] as const) {
    const name = `large-${canceller}.bin`;
    await chooseLarge(page, "alice", name);
    // Its figures are not read out.
    const figures = card(page, canceller)
      .locator(".line", { hasText: name })
      .getByText(/ at .*\/s$/);
    expect(await figures.getAttribute("aria-live")).toBe("off");
    await card(page, canceller)
      .getByRole("button", { name: `Cancel ${name}` })
      .click();
    for (const [side, by] of [
      [canceller, "here"],
      [other, "by the other side"],
    ] as const)
      await card(page, side).locator(".line", { hasText: name }).getByText(`cancelled ${by}`).waitFor();
  }
  // The session is as good as before.
  await write(page, "alice", "still here");
  await card(page, "bob").locator(".received").getByText("still here").waitFor();
});

test("a video call shows frames on both sides, and ends where it is hung up", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  for (const name of ["alice", "bob"]) await card(page, name).getByRole("button", { name: "Call with video" }).click();
  for (const name of ["alice", "bob"]) await seesFrames(page, name);
  // Who has pressed it has the pointer on it, and is to read it.
  const hangUp = card(page, "bob").getByRole("button", { name: "Hang up" });
  const colour = (): Promise<string> => hangUp.evaluate("(button) => getComputedStyle(button).backgroundColor");
  const under = await colour();
  await page.mouse.move(0, 0);
  expect(await colour()).toBe(under);
  await card(page, "alice").getByRole("button", { name: "Hang up" }).click();
  await card(page, "bob").locator("video").waitFor({ state: "hidden" });
  await seesFrames(page, "alice");
});

test("without a camera a call has a picture that the page draws; who may not use it is told so", async ({
  playground,
  window,
}) => {
  await window.addInitScript(`
    let refusal = "NotFoundError";
    navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", refusal); };
    addEventListener("deny", () => { refusal = "NotAllowedError"; });
  `);
  const page = await openPage(window, playground.url);
  await connected(page);
  const call = card(page, "alice").getByRole("button", { name: "Call with video" });
  await call.click();
  await seesFrames(page, "bob");
  await card(page, "alice").getByRole("button", { name: "Hang up" }).click();
  await page.evaluate(`dispatchEvent(new Event("deny"))`);
  await call.click();
  await page
    .getByText("The browser does not let this page use the camera. Allow it for this page, and call again.")
    .waitFor();
});

test("it measures how fast data flows, and ICE restarts meanwhile", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  await press(page, "Measure speed");
  await press(page, "Restart ICE");
  await card(page, "Connection")
    .getByText(/^The other side got [\d.]+ [kM]B a second\.$/)
    .waitFor();
  await card(page, "Timeline").getByText("number 1 looks for another path").waitFor();
  await connected(page);
  await page.getByText("Candidate pairs").click();
  await page.getByText("in use").waitFor();
});

test("a session that is closed can be had again, and the verdict says how it is", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  await press(page, "Restart ICE");
  await card(page, "Connection")
    .getByText(/^Another path is looked for/)
    .waitFor();
  await page.getByText("Candidate pairs").click();
  await page.getByText("in use").waitFor();
  await hangUp(page);
  await card(page, "Connection").getByText("closed", { exact: true }).waitFor();
  // Nothing stays of what was true of it.
  for (const gone of [/^Another path is looked for/, "in use"])
    await card(page, "Connection").getByText(gone).waitFor({ state: "hidden" });
  expect(await card(page, "alice").getByRole("button", { name: "Send a file" }).isDisabled()).toBe(true);
  await press(page, "Connect");
  await connected(page);
  await write(page, "bob", "again");
  await card(page, "alice").locator(".received").getByText("again").waitFor();
});

test("in a storm of half the envelopes lost, doubled and overtaken, a session is had each time", {
  timeout: 60_000 * stormRuns,
}, async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await hangUp(page);
  await press(page, "Storm");
  expect(await page.getByLabel("Loss").getAttribute("aria-valuetext")).toBe("50%");
  const envelopes = async (): Promise<number> =>
    Number.parseInt((await page.getByText(/^\d+ envelopes so far$/).textContent()) ?? "", 10);
  const used: number[] = [];
  for (let run = 0; run < stormRuns; run++) {
    const before = await envelopes();
    await press(page, "Connect");
    // Seldom it is so bad that it takes 20 seconds.
    await connected(page, 60_000);
    used.push((await envelopes()) - before);
    await hangUp(page);
  }
  console.log(`a storm, ${stormRuns} of ${stormRuns} runs connected; envelopes until then: ${used.join(" ")}`);
  await page
    .getByText(/^lost in the weather/)
    .first()
    .waitFor();
  await page
    .getByText(/arrived.*, 2 times/)
    .first()
    .waitFor();
});

test("cut off from the relay it says so and the session stands; then it is found again", async ({
  playground,
  window,
}) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  await press(page, "Cut off the relay");
  await card(page, "Relay").getByText("trying again").waitFor();
  await page.getByText("The weather keeps this page from it. Let it back in").waitFor();
  await write(page, "alice", "without a relay");
  await card(page, "bob").locator(".received").getByText("without a relay").waitFor();
  await hangUp(page);
  await press(page, "Connect");
  await page.getByText(/The weather keeps this page from signaling/).waitFor();
  await card(page, "Timeline").getByText("a session is wanted").last().waitFor();
  await press(page, "Let it back in");
  await connected(page);
});

test("a peer that crashes and comes back is found again, with the key it had", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  const key = await publicKey(page, "bob");
  await press(page, "Restart bob");
  await card(page, "Timeline").getByText("moved", { exact: true }).waitFor();
  await connected(page);
  expect(await publicKey(page, "bob")).toBe(key);
  await write(page, "alice", "welcome back");
  await card(page, "bob").locator(".received").getByText("welcome back").waitFor();
});

test("a page that was offline, and one that was frozen, goes on by itself", async ({ playground, window }) => {
  const page = await openPage(window, playground.url, /ERR_INTERNET_DISCONNECTED/);
  await hangUp(page);
  await window.setOffline(true);
  await press(page, "Connect");
  await page.getByText(/Signaling does not work/).waitFor();
  await window.setOffline(false);
  await connected(page);

  const browser = await window.newCDPSession(page);
  await browser.send("Page.setWebLifecycleState", { state: "frozen" });
  await browser.send("Page.setWebLifecycleState", { state: "active" });
  await write(page, "alice", "thawed");
  await card(page, "bob").locator(".received").getByText("thawed").waitFor();
  await hangUp(page);
  await write(page, "alice", "by the relay");
  await card(page, "bob").locator(".received").getByText("by the relay").waitFor();
});

test("the code for what is on the screen can be copied", async ({ playground, window }) => {
  await window.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await openPage(window, playground.url);
  await connected(page);
  await press(page, "Call");
  await press(page, "Copy the code");
  const copied = await page.evaluate<string>("navigator.clipboard.readText()");
  expect(copied).toContain(`PublicKey.parse("${await publicKey(page, "bob")}")`);
  expect(copied).toContain(`relay: "${new URL(playground.url).origin}"`);
});
