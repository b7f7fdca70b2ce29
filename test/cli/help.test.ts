/** What `wice` says about itself. */

import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { runWice } from "./wice-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}packages/node/package.json`, "utf8"));

const commands: readonly (readonly [name: string, options: readonly string[]])[] = [
  ["relay", ["listen", "tls-cert", "tls-key", "turn", "origin", "max-envelope-bytes", "json"]],
  ["key generate", ["out"]],
  ["key public", ["key"]],
  ["key role", ["key"]],
  ["key passphrase", ["out"]],
  ["publish", ["key", "relay", "backend", "delivered", "timeout", "message", "group", "ca", "max-envelope-bytes"]],
  ["subscribe", ["key", "relay", "backend", "from", "json", "count", "group", "ca", "max-envelope-bytes"]],
  ["connect", ["key", "relay", "backend", "stun", "turn", "agent", "udp", "json", "timeout", "ca"]],
  ["listen", ["key", "relay", "backend", "allow", "stun", "turn", "agent", "udp", "json", "ca"]],
  ["kubernetes manifests", ["namespace"]],
];

describe.concurrent("help", () => {
  test("wice --help lists every command, the exit codes, and an example", async () => {
    const { code, stdout, stderr } = await runWice(["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const [name] of commands) expect(stdout).toMatch(new RegExp(`^ {2}${name} {2,}\\w`, "m"));
    expect(stdout).toMatch(/^Exit codes:\n {2}0 .*\n {2}1 .*\n {2}2 /m);
    expect(stdout).toContain("wice relay &");
  });

  test.each(commands)("wice %s --help has its usage, options and examples", async (name, options) => {
    const words = name.split(" ");
    const { code, stdout, stderr } = await runWice([...words, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^Usage:\n {2}wice ${name}`, "m"));
    expect(stdout).toMatch(/^Examples:\n {2}\S/m);
    const listed = [...stdout.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, option]) => option);
    expect(listed.sort()).toEqual([...options].sort());
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(90);
    expect((await runWice(["help", ...words])).stdout).toBe(stdout);
    expect((await runWice([...words, "--nonsense", "-h"])).stdout).toBe(stdout);
  });

  test.each(["key", "kubernetes"])("wice %s --help lists the commands that begin so, and no other", async (group) => {
    const { code, stdout, stderr } = await runWice([group, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const listed = [...stdout.matchAll(/^ {2}(\w+ \w+) {2,}\w/gm)].map(([, name]) => name);
    expect(listed).toEqual(commands.map(([name]) => name).filter((name) => name.startsWith(`${group} `)));
    expect((await runWice(["help", group])).stdout).toBe(stdout);
  });

  test("wice --version prints the version of the package", async () => {
    expect(await runWice(["--version"])).toMatchObject({ code: 0, stdout: `wice ${version}\n`, stderr: "" });
  });

  test("the command that npm links runs what was built", async (context) => {
    if (!existsSync(`${root}packages/node/dist/cli/main.js`)) return context.skip("needs npm run build");
    const { stdout } = await promisify(execFile)(`${root}node_modules/.bin/wice`, ["--version"]);
    expect(stdout).toBe(`wice ${version}\n`);
  });

  test("the README's tables have every command and every option", async () => {
    const readme = readFileSync(`${root}packages/node/README.md`, "utf8");
    for (const [name, options] of commands) {
      expect(readme).toContain(`\`wice ${name}`);
      for (const option of options) expect(readme).toContain(`--${option}`);
    }
  });
});
