/** What becomes of the output: pipes that close, readers that do not read, terminals. */

import { createBackend } from "@wice/core";
import { createGrpcTransport, parsePrivateKey, readKeyFile } from "@wice/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { command, createScene, runWice, type Scene, startProcess, startRelay, startWice } from "./wice-process.ts";

let scene: Scene;
let relay: Awaited<ReturnType<typeof startRelay>>;
beforeAll(async () => {
  [scene, relay] = await Promise.all([createScene(), startRelay()]);
});
afterAll(async () => {
  await relay[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

const shell = command.map((part) => `'${part}'`).join(" ");

describe.concurrent("the output", () => {
  test("a subscriber whose reader has gone ends quietly with the next message", async () => {
    const [from, to] = await Promise.all([scene.key("epipe-from"), scene.key("epipe-to")]);
    const line = `${shell} subscribe --key ${to.file} --relay ${relay.url} | head -n 1; echo "code \${PIPESTATUS[0]}"`;
    await using pipe = await startProcess("bash", ["-c", line]);
    await pipe.until("stderr", /subscribed/);
    const args = ["publish", to.publicKey, "--key", from.file, "--relay", relay.url];
    for (const input of ["1", "2", "3"]) await runWice(args, { input });
    expect(await pipe.ended).toEqual({ code: 0, signal: null });
    expect(pipe.stdout).toMatch(/ 1\ncode 0\n$/);
    expect(pipe.stderr).toMatch(/^subscribed to \S+\n$/);
  });

  test("a subscriber whose reader does not read stays with the relay, and ends when it is told to", async () => {
    const [from, to] = await Promise.all([scene.key("stalled-from"), scene.key("stalled-to")]);
    await using inbox = await startWice(["subscribe", "--key", to.file, "--relay", relay.url]);
    await inbox.until("stderr", /subscribed/);
    inbox.output.pause();
    const ours = await readKeyFile(from.file);
    await using backend = createBackend(createGrpcTransport({ url: relay.url }));
    const theirs = parsePrivateKey(Buffer.from((await readKeyFile(to.file)).exportKey()).toString("base64")).publicKey;
    // More than a pipe, our own buffers and Node's hold together.
    const payload = new TextEncoder().encode(JSON.stringify("x".repeat(30_000)));
    for (let i = 0; i < 40; i++) await backend.publish({ ours, theirs }, { payload });
    await backend.publish({ ours, theirs }, { payload }, { until: "delivered", timeoutMs: 15_000 });
    inbox.kill("SIGTERM");
    const timer = setTimeout(() => inbox.output.resume(), 10_000);
    const exited = await Promise.race([
      waitForExit(inbox.pid),
      new Promise((resolve) => setTimeout(() => resolve("still there"), 8_000)),
    ]);
    clearTimeout(timer);
    inbox.output.resume();
    expect(exited).toBe("gone");
  });

  test("a terminal gets colours, unless NO_COLOR is set; a pipe never does", async (context) => {
    if (process.platform !== "linux") return context.skip("needs util-linux's script for a terminal");
    const onTerminal = async (env: NodeJS.ProcessEnv): Promise<string> => {
      await using terminal = await startProcess("script", ["-qec", `${shell} --help`, "/dev/null"], {
        env: { TERM: "xterm", ...env },
      });
      await terminal.ended;
      return terminal.stdout;
    };
    expect(await onTerminal({})).toContain("\x1b[1mUsage:\x1b[22m");
    const plain = await onTerminal({ NO_COLOR: "1" });
    expect(plain).toContain("Usage:");
    expect(plain).not.toContain("\x1b");
    expect((await runWice(["--help"])).stdout).not.toContain("\x1b");
    expect((await runWice(["nonsense"])).stderr).not.toContain("\x1b");
  });

  test("a passphrase typed at a terminal is not shown", async (context) => {
    if (process.platform !== "linux") return context.skip("needs util-linux's script for a terminal");
    await using terminal = await startProcess("script", ["-qec", `${shell} key passphrase`, "/dev/null"]);
    await terminal.until("stdout", /Passphrase: /);
    // Once the prompt is there, the terminal is about to be made silent; a person is slower than that.
    await new Promise((resolve) => setTimeout(resolve, 300));
    terminal.stdin.write("ax\x7f\r");
    await terminal.until("stdout", /=/);
    expect(terminal.stdout.replaceAll("\r", "")).toBe("Passphrase: \nyEHx4HSurYL1WTH1Dm5AcvqA/Bvc6WLY6Re9n1TSPlo=\n");
  });
});

/** By asking the system: the streams of a process whose output nobody reads do not close. */
async function waitForExit(pid: number): Promise<"gone"> {
  for (;;) {
    try {
      const { readFileSync } = await import("node:fs");
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))) return "gone";
    } catch {
      return "gone";
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
