/** `wice key`: made, printed, compared. */

import { execFile } from "node:child_process";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parsePrivateKey } from "@wice/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { command, createScene, runWice, type Scene } from "./wice-process.ts";

/** From the known answers of the Go implementation. */
const known = {
  passphrase: "a",
  privateKey: "yEHx4HSurYL1WTH1Dm5AcvqA/Bvc6WLY6Re9n1TSPlo=",
  publicKey: "9riFIFhQjU0nrJR8GuD1AYhjR+4LwrpIUKmrIma3SyA=",
};

let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

describe.concurrent("wice key", () => {
  test("generate prints a new private key each time, and nothing else", async () => {
    const [one, two] = await Promise.all([runWice(["key", "generate"]), runWice(["key", "generate"])]);
    for (const { code, stdout, stderr } of [one, two]) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
      expect(parsePrivateKey(stdout)).toBeDefined();
    }
    expect(one.stdout).not.toBe(two.stdout);
  });

  test("generate --out writes a file for its owner only, and prints the public key", async () => {
    const file = join(scene.folder, "out.key");
    const { stdout } = await runWice(["key", "generate", "--out", file]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const text = await readFile(file, "utf8");
    expect(`${parsePrivateKey(text).publicKey}\n`).toBe(stdout);
    expect(await runWice(["key", "public", "--key", file])).toEqual({ code: 0, signal: null, stdout, stderr: "" });
  });

  test("generate into a file that others can read says so", async () => {
    const file = join(scene.folder, "redirected.key");
    const line = `umask 022; ${command.map((part) => `'${part}'`).join(" ")} key generate > ${file}`;
    const { stderr } = await promisify(execFile)("sh", ["-c", line], { env: { ...process.env, NO_COLOR: "1" } });
    expect(stderr).toMatch(/others can read this file: chmod 600 it/);
    expect((await runWice(["key", "public", "--key", file])).stderr).toMatch(/chmod 600/);
    const { stderr: quiet } = await promisify(execFile)("sh", [
      "-c",
      line.replace("022", "077").replace(file, `${file}2`),
    ]);
    expect(quiet).toBe("");
  });

  test("public prints the public key of a file or of stdin", async () => {
    const file = join(scene.folder, "known.key");
    await writeFile(file, known.privateKey);
    await chmod(file, 0o400);
    expect((await runWice(["key", "public", "--key", file])).stdout).toBe(`${known.publicKey}\n`);
    const piped = await runWice(["key", "public", "--key", "-"], { input: `${known.privateKey}\n` });
    expect(piped.stdout).toBe(`${known.publicKey}\n`);
  });

  test("role prints the opposite on the two sides, and the smaller key is controlling", async () => {
    const [a, b] = await Promise.all([scene.key("role-a"), scene.key("role-b")]);
    const [left, right] = await Promise.all([
      runWice(["key", "role", b.publicKey, "--key", a.file]),
      runWice(["key", "role", a.publicKey, "--key", b.file]),
    ]);
    const smaller = Buffer.compare(Buffer.from(a.publicKey, "base64"), Buffer.from(b.publicKey, "base64")) < 0;
    expect([left.stdout, right.stdout]).toEqual(
      smaller ? ["controlling\n", "controlled\n"] : ["controlled\n", "controlling\n"],
    );
  });

  test("passphrase prints the key that cunicu derives, from one line of stdin", async () => {
    for (const input of [known.passphrase, `${known.passphrase}\n`, `${known.passphrase}\r\nignored\n`]) {
      const { code, stdout, stderr } = await runWice(["key", "passphrase"], { input });
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${known.privateKey}\n`, stderr: "" });
    }
  });

  test("passphrase --out keeps the private key off the screen", async () => {
    const file = join(scene.folder, "passphrase.key");
    const { stdout } = await runWice(["key", "passphrase", "--out", file], { input: known.passphrase });
    expect(stdout).toBe(`${known.publicKey}\n`);
    expect(await readFile(file, "utf8")).toBe(`${known.privateKey}\n`);
  });
});
