/** The playground in a browser, as `npm start` serves it and as `npm run build -w playground` makes it. */

import { expect, onTestFinished } from "vitest";
import { createScene, runWice, startRelay } from "../cli/wice-process.ts";
import { serveStaticPlayground } from "../kit/static-playground.ts";
import {
  card,
  connected,
  hangUp,
  lanAddress,
  openPage,
  press,
  publicKey,
  startPlayground,
  subscribed,
  test,
  write,
} from "./playground-scene.ts";

/** Of the whole page, compressed. */
const maxScriptBytes = 150_000;

test("two peers are connected without a click, with keys, roles and the comparison that decides", async ({
  playground,
  window,
}) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  const [alice, bob] = [await publicKey(page, "alice"), await publicKey(page, "bob")];
  const order = Buffer.compare(Buffer.from(alice, "base64"), Buffer.from(bob, "base64"));
  const [smaller, larger] = order < 0 ? (["alice", "bob"] as const) : (["bob", "alice"] as const);
  await card(page, smaller).getByText("controlling", { exact: true }).waitFor();
  await card(page, larger).getByText("controlled", { exact: true }).waitFor();
  await page.getByText(new RegExp(`the first that differs, .*: ${smaller} is controlling`)).waitFor();
  for (const name of [smaller, larger]) await card(page, name).getByText("subscribed", { exact: true }).waitFor();
  for (const kind of ["offer", "answer"]) await page.getByText(kind, { exact: true }).first().waitFor();
});

test("without a session a message goes sealed through the relay, and its envelope can be looked into", async ({
  playground,
  window,
}) => {
  const page = await openPage(window, playground.url);
  await hangUp(page);
  await write(page, "alice", "Lunch at 12:30?");
  const received = card(page, "bob").locator(".received");
  await received.getByText("Lunch at 12:30?").waitFor();
  expect(await received.textContent()).toMatch(/from alice .* · through the relay, fresh/);
  await card(page, "alice")
    .getByText(/delivered in \d+ ms, through the relay/)
    .waitFor();
  await write(page, "bob", "<b>Yes</b>");
  await card(page, "alice").locator(".received").getByText("<b>Yes</b>").waitFor();

  const envelope = page
    .getByRole("listitem")
    .filter({ has: page.getByText("message", { exact: true }) })
    .first();
  const row = envelope.getByRole("button");
  expect(await row.textContent()).toMatch(/alice \S+ to bob \S+\s*message\s+\d+ bytes\s+arrived in \d+ ms/);
  await row.focus();
  await page.keyboard.press("Enter");
  expect(await row.getAttribute("aria-expanded")).toBe("true");
  const inside = (await envelope.textContent()) ?? "";
  expect(inside).toContain(await publicKey(page, "alice"));
  expect(inside).toMatch(/Nonce([0-9a-f]{2} ?){24}/);
  expect(inside).toMatch(/Sealed, (\d+) bytes([0-9a-f]{2} ?){50,}/);
  expect(inside).toMatch(/What bob finds in it\s+Message\s*Lunch at 12:30\?/);
  await page.getByText("receipt", { exact: true }).first().waitFor();
});

test("what an agent writes by the relay's own address arrives, from a stranger", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  await using scene = await createScene();
  const agent = await scene.key("agent");
  const args = ["--key", agent.file, "--relay", playground.relay, "--delivered"];
  const sent = await runWice(["publish", await publicKey(page, "bob"), ...args], { input: '"from a terminal"\n' });
  expect(sent).toMatchObject({ code: 0 });
  const received = card(page, "bob").locator(".received");
  await received.getByText("from a terminal").waitFor();
  expect(await received.textContent()).toContain(
    `from a stranger ${agent.publicKey.slice(0, 8)}… · through the relay, fresh`,
  );
  // Not as if it were alice's: a stranger has no place in the diagram, and what goes to one ends at the relay.
  const lines = (lane: string): Promise<string[]> =>
    page.evaluate<string[]>(`Array.from(document.querySelector('${lane}').querySelectorAll(".hop"),
      (hop) => getComputedStyle(hop, "::before").display)`);
  await page
    .getByText(/^from a stranger, arrived/)
    .first()
    .waitFor();
  expect(await lines('[data-stranger="from"][data-direction="right"]')).toEqual(["none", "block"]);
  await page
    .getByText(/^to a stranger, handed over/)
    .first()
    .waitFor();
  expect(await lines('[data-stranger="to"][data-direction="left"]')).toEqual(["block", "none"]);
});

test("it shows that the relay is gone and what to do, and goes on when it is back", async ({ playground, window }) => {
  await using first = await startRelay();
  const page = await openPage(
    window,
    `${playground.url}?relay=${first.url}`,
    /ERR_CONNECTION_REFUSED/,
    /ERR_INCOMPLETE/,
  );
  await hangUp(page);
  first.kill("SIGKILL");
  await first.ended;
  await card(page, "Relay").getByText("trying again").waitFor();
  await page.getByText(/cannot be reached\. Start it/).waitFor();
  await write(page, "alice", "Are you there?");
  await card(page, "alice").getByText("waits for the relay…").waitFor();

  await using _second = await startRelay(`127.0.0.1:${first.port}`);
  await subscribed(page);
  await card(page, "bob").locator(".received").getByText("Are you there?").waitFor();
  await card(page, "alice")
    .getByText(/delivered in/)
    .waitFor();
  await page.getByText(/back after/).waitFor();
});

test("keys are kept over a reload, and another tab has others", async ({ playground, window }) => {
  const first = await openPage(window, playground.url);
  const key = await publicKey(first, "alice");
  const second = await window.newPage();
  await second.goto(playground.url);
  const other = await publicKey(second, "alice");
  expect(other).not.toBe(key);
  for (const [page, expected] of [
    [second, other],
    [first, key],
  ] as const) {
    await page.reload();
    expect(await publicKey(page, "alice")).toBe(expected);
  }
  await connected(second);
  await write(second, "bob", "from the second tab");
  await card(second, "alice").locator(".received").getByText("from the second tab").waitFor();
  expect(await card(first, "alice").locator(".received").count()).toBe(0);
});

test("over plain HTTP from another device it works, and says what is missing and how to get it", async ({
  playground,
  window,
}) => {
  const page = await openPage(window, playground.url.replace("localhost", lanAddress));
  expect(await page.evaluate("isSecureContext")).toBe(false);
  await page.getByText(/^Keys are kept in memory.*npm start -- --https$/).waitFor();
  await connected(page);
  await write(page, "bob", "in plain JavaScript");
  await card(page, "alice").locator(".received").getByText("in plain JavaScript").waitFor();
});

test("with --https it is a secure context for every device, and nothing is missing", async ({ window }) => {
  const playground = await startPlayground("--https");
  onTestFinished(() => playground[Symbol.asyncDispose]());
  const page = await openPage(window, playground.url.replace("localhost", lanAddress));
  expect(await page.evaluate("isSecureContext")).toBe(true);
  await connected(page);
  await write(page, "alice", "sealed twice");
  await card(page, "bob").locator(".received").getByText("sealed twice").waitFor();
  expect(await page.getByText(/Keys are kept in memory/).count()).toBe(0);
  const key = await publicKey(page, "alice");
  await page.reload();
  expect(await publicKey(page, "alice")).toBe(key);
});

test("a URL of a relay that is none is named, with what to write instead", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await page.goto(`${playground.url}?relay=relay.example.org`);
  await page.getByText(/\?relay=.* begins with http:\/\/ or https:\/\//).waitFor();
  const field = page.getByRole("textbox");
  expect(await field.count()).toBe(1);
  await field.fill(playground.relay);
  await press(page, "Meet there");
  await connected(page);
});

test("on a phone nothing is wider than the screen", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await page.setViewportSize({ width: 320, height: 640 });
  await connected(page);
  await write(page, "alice", "x".repeat(300));
  await card(page, "bob").locator(".received").waitFor();
  await card(page, "Envelopes").getByRole("button").last().click();
  await page.getByText("Candidate pairs").click();
  await page.getByText("Bring a key, or take it along").click();
  const [widest, width] = await page.evaluate<[number, number]>(
    "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
  );
  expect(widest).toBe(width);
});

test("the static build is small, and works from a folder of any web server, with a relay elsewhere or with none", async ({
  window,
}) => {
  const playground = await serveStaticPlayground();
  onTestFinished(() => playground[Symbol.asyncDispose]());
  expect(playground.scriptBytes).toBeLessThan(maxScriptBytes);
  const { url: site } = playground;
  const relay = await startRelay();
  onTestFinished(() => relay[Symbol.asyncDispose]());
  const page = await openPage(window, `${site}?relay=${relay.url}`);
  await connected(page);
  await write(page, "alice", "from a file");
  await card(page, "bob").locator(".received").getByText("from a file").waitFor();

  await page.close();
  const alone = await openPage(window, site);
  await connected(alone);
  await write(alone, "alice", "in a page of files");
  await card(alone, "bob").locator(".received").getByText("in a page of files").waitFor();

  await alone.goto(`${site}?way=tabs`);
  const other = await window.newPage();
  await other.goto((await alone.getByRole("link", { name: "Open the other tab" }).getAttribute("href")) ?? "");
  for (const tab of [alone, other]) await connected(tab);
  await write(other, "this tab", "no server at all");
  await card(alone, "this tab").locator(".received").getByText("no server at all").waitFor();
});

test("the static build asks for a relay where it needs one, and says so where there is none", async ({ window }) => {
  const playground = await serveStaticPlayground();
  onTestFinished(() => playground[Symbol.asyncDispose]());
  const relay = await startRelay();
  onTestFinished(() => relay[Symbol.asyncDispose]());
  const page = await openPage(window, `${playground.url}?way=devices`);
  await page.getByText(/two devices need one to meet at/).waitFor();
  expect(await page.getByRole("link", { name: "This device and another" }).getAttribute("aria-current")).toBe("page");
  const field = page.getByLabel("URL of a relay");
  await field.fill("hello");
  await press(page, "Meet there");
  await page.getByText(/That is no URL of a relay/).waitFor();
  await field.fill(`${relay.url}/`);
  await press(page, "Meet there");
  await page.getByRole("region", { name: "Relay" }).getByText("connected", { exact: true }).waitFor();
  const link = await page.getByRole("link", { name: /peer=/ }).first().getAttribute("href");
  expect(new URL(link ?? "").searchParams.get("relay")).toBe(relay.url);
  await page.close();

  const nowhere = await openPage(
    window,
    `${playground.url}?relay=${new URL(playground.url).origin}`,
    /404 \(Not Found\)/,
  );
  await nowhere.getByText(/There is no relay at this address\. .*Two tabs need none/).waitFor();
  await write(nowhere, "alice", "to nobody");
  const fate = card(nowhere, "alice").getByText(/^Not sent: /);
  await fate.waitFor();
  await press(nowhere, "Send again");
  await fate.waitFor();
});
