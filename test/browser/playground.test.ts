/** The playground in a browser, as `npm start` serves it and as `npm run build -w playground` makes it. */

import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BrowserContext, Locator, Page } from "playwright-core";
import { build } from "vite";
import { expect, onTestFinished, test as plainTest } from "vitest";
import viteConfig from "../../playground/vite.config.ts";
import { createScene, orEnd, runWice, startProcess, startRelay, type WiceProcess } from "../cli/wice-process.ts";
import { type Chromium, findChromium, launchChromium, needsChromium } from "../kit/chromium.ts";
import { openTestPage } from "../kit/test-page.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
/** An address that leads to this machine, and is no secure context over plain HTTP. */
const lanAddress = "192.0.2.7";

interface Playground extends WiceProcess {
  /** Of the page. */
  readonly url: string;
  readonly relay: string;
}

async function startPlayground(...options: readonly string[]): Promise<Playground> {
  const args = ["--conditions=@wice/source", "playground/start.ts", "--port", "0", "--relay-port", "0", ...options];
  const started = await startProcess(process.execPath, args, { cwd: root });
  const [, url = "", relay = ""] = await orEnd(
    started,
    started.until("stdout", /Open (\S+).*listens on (\S+).*Ctrl-C/s),
  );
  return Object.defineProperties(started, { url: { value: url }, relay: { value: relay } }) as Playground;
}

const test = plainTest
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern what a fixture needs.
  .extend("maybeChromium", { scope: "file" }, async ({}, { onCleanup }): Promise<Chromium | undefined> => {
    const path = findChromium();
    if (path === undefined) return undefined;
    const chromium = await launchChromium(path, [`--host-resolver-rules=MAP ${lanAddress} 127.0.0.1`]);
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

/** Opens the page. After the test it must have had nothing to complain of, and have asked nobody else for anything. */
async function openPage(window: BrowserContext, url: string, ...expected: readonly RegExp[]): Promise<Page> {
  const asked = new Set<string>();
  window.on("request", (request) => asked.add(new URL(request.url()).origin));
  const opened = await openTestPage<Record<never, never>>(window, url, { expected });
  onTestFinished(() => opened.close());
  const relay = new URL(url).searchParams.get("relay");
  onTestFinished(() => expect([new URL(url).origin, relay].filter((origin) => origin !== null)).toEqual([...asked]));
  return opened.page;
}

function peer(page: Page, name: "alice" | "bob"): Locator {
  return page.getByRole("region", { name, exact: true });
}

async function publicKey(page: Page, name: "alice" | "bob"): Promise<string> {
  const key = peer(page, name).getByText(/^[A-Za-z0-9+/]{43}=$/);
  return (await key.textContent()) ?? "";
}

/** As somebody does who has no mouse. */
async function write(page: Page, from: "alice" | "bob", text: string): Promise<void> {
  const field = peer(page, from).getByLabel(`${from} writes to`);
  await field.focus();
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

async function connected(page: Page): Promise<void> {
  await page.getByRole("status").getByText("connected", { exact: true }).waitFor();
}

test("two peers are there without a click, with keys, roles and the comparison that decides", async ({
  playground,
  window,
}) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  const [alice, bob] = [await publicKey(page, "alice"), await publicKey(page, "bob")];
  const order = Buffer.compare(Buffer.from(alice, "base64"), Buffer.from(bob, "base64"));
  const [smaller, larger] = order < 0 ? (["alice", "bob"] as const) : (["bob", "alice"] as const);
  await peer(page, smaller).getByText("controlling", { exact: true }).waitFor();
  await peer(page, larger).getByText("controlled", { exact: true }).waitFor();
  await page.getByText(new RegExp(`the first that differs, .*: ${smaller} is controlling`)).waitFor();
  for (const name of [smaller, larger]) await peer(page, name).getByText("subscribed", { exact: true }).waitFor();
});

test("a message typed in one peer arrives opened in the other, and its envelope can be looked into", async ({
  playground,
  window,
}) => {
  const page = await openPage(window, playground.url);
  await connected(page);
  await write(page, "alice", "Lunch at 12:30?");
  const received = peer(page, "bob").locator(".received");
  await received.getByText("Lunch at 12:30?").waitFor();
  expect(await received.textContent()).toMatch(/from alice .* · fresh/);
  await peer(page, "alice")
    .getByText(/delivered in \d+ ms/)
    .waitFor();
  await write(page, "bob", "<b>Yes</b>");
  await peer(page, "alice").locator(".received").getByText("<b>Yes</b>").waitFor();

  const envelope = page
    .getByRole("listitem")
    .filter({ has: page.getByText("message", { exact: true }) })
    .last();
  const row = envelope.getByRole("button");
  expect(await row.textContent()).toMatch(/alice \S+ → bob \S+\s+message\s+\d+ bytes\s+arrived in \d+ ms/);
  await row.focus();
  await page.keyboard.press("Enter");
  expect(await row.getAttribute("aria-expanded")).toBe("true");
  const inside = (await envelope.textContent()) ?? "";
  expect(inside).toContain(await publicKey(page, "alice"));
  expect(inside).toMatch(/Nonce([0-9a-f]{2} ?){24}/);
  expect(inside).toMatch(/Sealed, (\d+) bytes([0-9a-f]{2} ?){50,}/);
  expect(inside).toMatch(/What bob finds in it\s+Message\s*Lunch at 12:30\?/);
  await page.getByText("who is there?", { exact: true }).first().waitFor();
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
  const received = peer(page, "bob").locator(".received");
  await received.getByText("from a terminal").waitFor();
  expect(await received.textContent()).toContain(`from a stranger ${agent.publicKey.slice(0, 8)}… · fresh`);
});

test("it shows that the relay is gone and what to do, and goes on when it is back", async ({ playground, window }) => {
  await using first = await startRelay();
  const page = await openPage(
    window,
    `${playground.url}?relay=${first.url}`,
    /ERR_CONNECTION_REFUSED/,
    /ERR_INCOMPLETE/,
  );
  await connected(page);
  first.kill("SIGKILL");
  await first.ended;
  await page.getByRole("status").getByText("trying again").waitFor();
  await page.getByText(/cannot be reached\. Start it/).waitFor();
  await write(page, "alice", "Are you there?");
  await peer(page, "alice").getByText("waits for the relay…").waitFor();

  await using _second = await startRelay(`127.0.0.1:${first.port}`);
  await connected(page);
  await peer(page, "bob").locator(".received").getByText("Are you there?").waitFor();
  await peer(page, "alice")
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
  await peer(second, "alice").locator(".received").getByText("from the second tab").waitFor();
  expect(await peer(first, "alice").locator(".received").count()).toBe(0);
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
  await peer(page, "alice").locator(".received").getByText("in plain JavaScript").waitFor();
});

test("with --https it is a secure context for every device, and nothing is missing", async ({ window }) => {
  const playground = await startPlayground("--https");
  onTestFinished(() => playground[Symbol.asyncDispose]());
  const page = await openPage(window, playground.url.replace("localhost", lanAddress));
  expect(await page.evaluate("isSecureContext")).toBe(true);
  await connected(page);
  await write(page, "alice", "sealed twice");
  await peer(page, "bob").locator(".received").getByText("sealed twice").waitFor();
  expect(await page.getByText(/Keys are kept in memory/).count()).toBe(0);
  const key = await publicKey(page, "alice");
  await page.reload();
  expect(await publicKey(page, "alice")).toBe(key);
});

test("a URL of a relay that is none is named, with what to write instead", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await page.goto(`${playground.url}?relay=relay.example.org`);
  await page.getByText(/\?relay=.* begins with http:\/\/ or https:\/\//).waitFor();
  expect(await page.getByRole("textbox").count()).toBe(0);
});

test("on a phone nothing is wider than the screen", async ({ playground, window }) => {
  const page = await openPage(window, playground.url);
  await page.setViewportSize({ width: 320, height: 640 });
  await connected(page);
  await write(page, "alice", "x".repeat(300));
  await peer(page, "bob").locator(".received").waitFor();
  const row = page.getByRole("listitem").filter({ has: page.getByText("message", { exact: true }) });
  await row.getByRole("button").click();
  const [widest, width] = await page.evaluate<[number, number]>(
    "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
  );
  expect(widest).toBe(width);
});

test("the static build works from a folder of any web server, with a relay elsewhere or with none", async ({
  window,
}) => {
  const folder = await mkdtemp(join(tmpdir(), "wice-playground-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await build({ ...viteConfig, configFile: false, build: { ...viteConfig.build, outDir: folder, emptyOutDir: false } });
  const types: Record<string, string> = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
  const files = createServer(({ url = "/" }, response) => {
    const path = new URL(url, "http://localhost").pathname.replace(/^\/folder\/$/, "/folder/index.html");
    readFile(join(folder, path.replace("/folder/", ""))).then(
      (bytes) => response.writeHead(200, { "content-type": types[extname(path)] ?? "text/html" }).end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  onTestFinished(() => void files.close().closeAllConnections());
  files.listen(0, "127.0.0.1");
  await once(files, "listening");
  const site = `http://localhost:${(files.address() as AddressInfo).port}/folder/`;

  const relay = await startRelay();
  onTestFinished(() => relay[Symbol.asyncDispose]());
  const page = await openPage(window, `${site}?relay=${relay.url}`);
  await connected(page);
  await write(page, "alice", "from a file");
  await peer(page, "bob").locator(".received").getByText("from a file").waitFor();

  const alone = await window.newPage();
  await alone.goto(site);
  await alone.getByText(/There is no relay at this address\. .*\?relay=/).waitFor();
  await write(alone, "alice", "to nobody");
  await peer(alone, "alice")
    .getByText(/^Not sent: /)
    .waitFor();
  await peer(alone, "alice").getByRole("button", { name: "Send again" }).click();
  await peer(alone, "alice")
    .getByText(/^Not sent: /)
    .waitFor();
});
