/** `npm start`: what a newcomer sees first. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startProcess } from "./wice-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

test("npm start shows keys, roles, a sealed envelope, the message and a receipt, and ends by itself", async () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { scripts: { start: string } };
  const [node, ...args] = scripts.start.split(" ");
  expect(node).toBe("node");
  const started = performance.now();
  await using demo = await startProcess(process.execPath, args, { cwd: root });
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
