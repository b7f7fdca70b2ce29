/** `npm start` and `npm run conversation`: what a newcomer sees first. */

import { readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { fileURLToPath } from "node:url";
import { generatePrivateKey } from "@wice/core";
import { expect, test } from "vitest";
import { orEnd, startProcess, type WiceProcess } from "./wice-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Started extends WiceProcess {
  readonly page: string;
  readonly relay: string;
}

/** What the script of package.json runs, in Node at once. */
async function startScript(name: "start" | "conversation", ...options: readonly string[]): Promise<WiceProcess> {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { scripts: Record<string, string> };
  const [node, ...args] = (scripts[name] ?? "").split(" ");
  expect(node).toBe("node");
  return await startProcess(process.execPath, [...args, ...options], { cwd: root });
}

/** Resolves when it has said what to open. */
async function startPlayground(...options: readonly string[]): Promise<Started> {
  const started = await startScript("start", ...options);
  const [, page = "", relay = ""] = await orEnd(
    started,
    started.until("stdout", /Open (\S+).*listens on (\S+) .*Ctrl-C/s),
  );
  return Object.defineProperties(started, { page: { value: page }, relay: { value: relay } }) as Started;
}

const anyPorts = ["--port", "0", "--relay-port", "0"];

async function serverInfo(url: string): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(new URL("/wice.v1.Relay/GetServerInfo", url), { method: "POST", headers, body: "{}" });
  return await answer.json();
}

/** A stream as a page opens it. */
async function listen(url: string): Promise<Response> {
  const key = generatePrivateKey().publicKey.toString();
  const question = Buffer.from(JSON.stringify({ keys: [key] }));
  const body = Buffer.concat([Buffer.of(0, 0, 0, 0, question.length), question]);
  const headers = { "content-type": "application/connect+json" };
  const answer = await fetch(new URL("/wice.v1.Relay/Listen", url), { method: "POST", headers, body });
  expect(answer.status).toBe(200);
  return answer;
}

/** Whether somebody takes connections there. */
function answers(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    const settle = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once("connect", () => settle(true)).once("error", () => settle(false));
  });
}

test.for(["SIGINT", "SIGTERM"] as const)(
  "npm start serves the page and the relay, at one address as well, until %s",
  async (signal) => {
    await using playground = await startPlayground(...anyPorts);
    const { page, relay } = playground;
    expect(page).toMatch(/^http:\/\/localhost:\d+\/$/);
    expect(await (await fetch(page)).text()).toContain("<title>wice playground</title>");
    expect((await fetch(new URL("/src/main.ts", page))).headers.get("content-type")).toMatch(/^text\/javascript/);
    expect(await serverInfo(relay)).toHaveProperty("version");
    expect(await serverInfo(page)).toEqual(await serverInfo(relay));

    const streams = await Promise.all([listen(page), listen(relay)]);
    playground.kill(signal);
    expect(await playground.ended).toEqual({ code: 0, signal: null });
    // Told, and not cut: the last thing in a stream of Connect is how it ended.
    for (const text of await Promise.all(streams.map((stream) => stream.text()))) expect(text).toContain("unavailable");
    expect(playground.stderr).toBe("");
    expect(playground.stdout).not.toContain("\x1b");
    expect([await answers(page), await answers(relay)]).toEqual([false, false]);
  },
);

test("npm start leaves nothing behind when npm itself is told to stop", async () => {
  await using npm = await startProcess("npm", ["start", "--", ...anyPorts], { cwd: root });
  const [, page = ""] = await npm.until("stdout", /Open (\S+).*Ctrl-C/s);
  npm.kill("SIGTERM");
  // It has ended when nobody has its output open any more.
  await npm.ended;
  expect(await answers(page)).toBe(false);
});

test("npm start takes the next free ports where the usual ones are in use", async () => {
  await using first = await startPlayground();
  await using second = await startPlayground();
  expect(second.page).not.toBe(first.page);
  expect(second.relay).not.toBe(first.relay);
  expect(await serverInfo(second.page)).toHaveProperty("version");
});

test("npm start says which port is in use, where that one is asked for", async () => {
  await using first = await startPlayground(...anyPorts);
  for (const [option, url] of [
    ["--port", first.page],
    ["--relay-port", first.relay],
  ] as const) {
    const { port } = new URL(url);
    await using second = await startScript("start", ...anyPorts, option, port);
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(second.stderr).toMatch(new RegExp(`^npm start: [^\n]*\\b${port}\\b[^\n]* in use[^\n]*\n$`));
  }
});

test.for([
  [["--prot", "5000"], "--prot is not an option"],
  [["5000"], '"5000" is not an option'],
  [["--port"], "--port needs a number"],
  [["--port", "65536"], "--port needs a number"],
  [["--relay-port", "http"], "--relay-port needs a number"],
  [["--https=yes"], "--https takes no value"],
] as const)("npm start refuses %s in one line", async ([options, text]) => {
  await using playground = await startScript("start", ...options);
  expect(await playground.ended).toEqual({ code: 2, signal: null });
  expect(playground.stderr).toMatch(/^npm start: [^\n]+\n$/);
  expect(playground.stderr).toContain(text);
  expect(playground.stdout).toBe("");
});

test("npm start prints its options", async () => {
  await using playground = await startScript("start", "--help");
  expect(await playground.ended).toEqual({ code: 0, signal: null });
  for (const option of ["--https", "--host", "--port", "--relay-port", "--help"]) {
    expect(playground.stdout).toContain(option);
  }
});

test("npm start -- --host and --https say how other devices get in", async () => {
  await using plain = await startPlayground(...anyPorts, "--host");
  expect(plain.stdout).toContain("npm start -- --https");
  await using secure = await startPlayground(...anyPorts, "--https");
  expect(secure.page).toMatch(/^https:\/\/localhost:\d+\/$/);
  expect(secure.stdout).toMatch(/fingerprint:\n( {4}([0-9A-F]{2}:?){16}\n){2}/);
  for (const { stdout } of [plain, secure]) {
    expect(stdout).toMatch(/On other devices:\n( {4}https?:\/\/[\d.]+:\d+\/ +\S+\n)+|it is in no network/);
  }
});

test("npm run conversation shows keys, roles, a sealed envelope, the message and a receipt, and ends by itself", async () => {
  const started = performance.now();
  await using demo = await startScript("conversation");
  expect(await demo.ended).toEqual({ code: 0, signal: null });
  expect(performance.now() - started).toBeLessThan(20_000);
  const { stdout, stderr } = demo;
  expect(stderr).toBe("");
  expect(stdout).not.toContain("\x1b");

  const key = "[A-Za-z0-9+/]{43}=";
  const [, alice = "", bob = ""] = new RegExp(`alice +(${key})\n +bob +(${key})`).exec(stdout) ?? [];
  const controlling = Buffer.compare(Buffer.from(alice, "base64"), Buffer.from(bob, "base64")) < 0 ? "alice" : "bob";
  expect(stdout).toMatch(new RegExp(`${controlling} .* controlling\n`));
  expect(stdout).toMatch(/the first byte that differs decides, ([0-9a-f]{2}) < ([0-9a-f]{2})\./);
  expect(stdout).toContain(`sender      ${alice}\n    recipient   ${bob}\n`);
  expect(stdout).toMatch(/nonce +([0-9a-f]{2} ?){24}\n/);
  expect(stdout).toMatch(/sealed +([0-9a-f]{2} ){20}… \d+ bytes\n/);
  expect(stdout).toMatch(/one bit changed is noticed: forged\n/);
  expect(stdout).toMatch(/opened +\{"hello":"bob"/);
  expect(stdout).toMatch(/fresh +yes/);
  expect(stdout).toMatch(/delivered +yes, to bob's instance [0-9a-f]{8}…/);
});
