/** The guide to transports of one's own: its program, its tests, and a Redis server of Debian's. */

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBackend, generatePrivateKey } from "@wice/core";
import { expect, onTestFinished, type TestContext, test } from "vitest";
import { readSnippets, root } from "../docs/snippets.ts";
import { run } from "../tools/command.ts";

const programs = readSnippets("docs/write-a-transport.md").map(({ code }) => code);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Keeps nothing on disk. Skips the test where there is no Redis. */
async function startRedis(context: TestContext): Promise<number> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "wice-redis-"));
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", folder];
  const server = spawn("redis-server", args, { stdio: "ignore" });
  const ended = new Promise<"absent" | "ended">((resolve) => {
    server.once("error", () => resolve("absent"));
    server.once("close", () => resolve("ended"));
  });
  onTestFinished(async () => {
    server.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true });
  });
  const isReady = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
  const ready = expect.poll(isReady, { timeout: 20_000 }).toBe(true);
  const first = await Promise.race([ended, ready]);
  if (first === "absent") context.skip("needs redis-server: run `npm run setup`");
  return port;
}

/** Inside the workspace, so that the programs find the packages as a user's do. */
async function writePrograms(): Promise<string> {
  const parent = join(root, ".cache");
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, "own-transport-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const code of programs) await writeFile(join(folder, /^\/\/ (\S+)\n/.exec(code)?.[1] ?? "x"), code);
  return folder;
}

test("the guide's transport has under 60 lines and passes the suites as the guide runs them", async (context) => {
  const port = await startRedis(context);
  expect(programs[0]?.split("\n").filter((line) => line.trim() !== "").length).toBeLessThan(60);
  const folder = await writePrograms();
  const config = `export default { root: "${folder}", resolve: { conditions: ["@wice/source", "node", "import", "default"] },
    ssr: { resolve: { conditions: ["@wice/source", "node", "import", "default"] } }, test: { testTimeout: 20000 } };`;
  await writeFile(join(folder, "vitest.config.js"), config);
  const env = { REDIS_PORT: `${port}`, VITEST: undefined, VITEST_WORKER_ID: undefined };
  const printed = await run("vitest", ["run", "--config", join(folder, "vitest.config.js")], { env });
  expect(printed).toMatch(/Tests {2}28 passed/);
});

test("a stranger who writes into its channels ends nothing", async (context) => {
  const port = await startRedis(context);
  const { createRedisTransport } = await import(join(await writePrograms(), "redis.ts"));
  const [alice, bob] = [generatePrivateKey(), generatePrivateKey()];
  const backends = [createBackend(createRedisTransport(port)), createBackend(createRedisTransport(port))] as const;
  onTestFinished(async () => void (await Promise.all(backends.map((each) => each.close()))));
  const inbox = await backends[1].subscribe({ ours: bob, theirs: alice.publicKey });
  const stranger = connect(port, "127.0.0.1");
  stranger.end(`PUBLISH ${bob.publicKey} garbage\r\n`);
  const payload = new TextEncoder().encode("hello");
  await backends[0].publish({ ours: alice, theirs: bob.publicKey }, { payload }, { until: "delivered" });
  const { value } = await inbox[Symbol.asyncIterator]().next();
  expect(value?.message.payload).toEqual(payload);
});
