import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect, promisify } from "node:util";
import { PrivateKey, PublicKey } from "@wice/core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readKeyFile, writeKeyFile } from "../src/key-file.ts";
import { generatePrivateKey } from "../src/private-key.ts";

const secret = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

let folder: string;
let path: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wice-key-"));
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => {
  count += 1;
  path = join(folder, `key-${count}`);
});

async function refusal(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof Error) || !("code" in error)) throw new Error("it was expected to reject with a WiceError");
  expect(error.message).not.toContain("\n");
  expect(inspect(error, { depth: 9 })).not.toContain("yAnz5TF");
  return { code: String(error.code), message: error.message };
}

describe("a key file", () => {
  test("that was written is read back, by its owner only", async () => {
    const key = generatePrivateKey();
    await writeKeyFile(path, key);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, "utf8")).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    expect((await readKeyFile(path)).publicKey.equals(key.publicKey)).toBe(true);
  });

  test.each([`${secret}`, `${secret}\n`, `${secret}\r\n`, `  ${secret}  \n\n`])("may hold %j", async (text) => {
    await writeFile(path, text, { mode: 0o600 });
    expect(Buffer.from((await readKeyFile(path)).exportKey()).toString("base64")).toBe(secret);
  });

  test.each([0o640, 0o604, 0o644, 0o620, 0o601])(
    "with mode %o is refused, with the command that mends it",
    async (mode) => {
      await writeFile(path, secret);
      await chmod(path, mode);
      const { code, message } = await refusal(readKeyFile(path));
      expect(code).toBe("insecure-key-file");
      expect(message).toContain(`chmod 600 ${path}`);
      await promisify(execFile)("sh", ["-c", message.slice(message.indexOf("chmod"))]);
      await readKeyFile(path);
    },
  );

  test("with a strange name is quoted for the shell", async () => {
    const strange = `${path} it's`;
    await writeFile(strange, secret, { mode: 0o644 });
    const { message } = await refusal(readKeyFile(strange));
    await promisify(execFile)("sh", ["-c", message.slice(message.indexOf("chmod"))]);
    await readKeyFile(strange);
  });

  test("is judged by what a link leads to", async () => {
    await writeFile(`${path}.target`, secret, { mode: 0o644 });
    await symlink(`${path}.target`, path);
    expect((await refusal(readKeyFile(path))).code).toBe("insecure-key-file");
  });

  test.each([
    ["", "invalid-file", /empty/],
    ["\n", "invalid-file", /empty/],
    [`${secret}\n${secret}\n`, "invalid-key", /more than the one line/],
    [secret.slice(1), "invalid-key", /44 characters/],
    [`${secret}${secret}`, "invalid-key", /44 characters/],
    [secret.replace("=", "!"), "invalid-key", /44 characters/],
    ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "invalid-key", /private key/],
    [secret.repeat(100), "invalid-file", /too long/],
    [`[Interface]\nPrivateKey = ${secret}\n`, "invalid-key", /one line/],
    ["\u0000\u0001\u0002", "invalid-key", /44 characters/],
  ])("that holds %j is refused, without showing it", async (text, expected, words) => {
    await writeFile(path, text, { mode: 0o600 });
    const { code, message } = await refusal(readKeyFile(path));
    expect(code).toBe(expected);
    expect(message).toMatch(words);
    expect(message).toContain(path);
  });

  test("that is missing, or a directory, is refused", async () => {
    expect(await refusal(readKeyFile(path))).toMatchObject({ code: "invalid-file", message: /does not exist/ });
    await mkdir(path);
    expect(await refusal(readKeyFile(path))).toMatchObject({ code: "invalid-file", message: /is a directory/ });
  });

  test("is never overwritten, and a refused one leaves nothing behind", async () => {
    await writeFile(path, "mine");
    const before = await readdir(folder);
    expect(await refusal(writeKeyFile(path, generatePrivateKey()))).toMatchObject({
      code: "invalid-file",
      message: /exists already/,
    });
    expect(await readFile(path, "utf8")).toBe("mine");
    expect(await refusal(writeKeyFile(join(folder, "no", "key"), generatePrivateKey()))).toMatchObject({
      message: /does not exist/,
    });
    expect(await readdir(folder)).toEqual(before);
  });

  test("is not made for a key that cannot leave its place", async () => {
    const { publicKey } = generatePrivateKey();
    const bound = new PrivateKey({ publicKey, sharedSecret: async () => new Uint8Array(32) });
    await expect(writeKeyFile(path, bound)).rejects.toMatchObject({ code: "unsupported" });
    await expect(stat(path)).rejects.toThrow();
  });

  test("may be a pipe of the shell's", async () => {
    const script = `import { readKeyFile } from ${JSON.stringify(new URL("../src/key-file.ts", import.meta.url).href)};
      console.log(String((await readKeyFile(process.argv[1])).publicKey));`;
    const command = `"$0" --conditions=@wice/source --input-type=module -e "$1" <(printf '%s\\n' "$2")`;
    const { stdout } = await promisify(execFile)("bash", ["-c", command, process.execPath, script, secret]);
    expect(PublicKey.parse(stdout.trim())).toBeInstanceOf(PublicKey);
  });

  test("is not touched when the signal has aborted", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(writeKeyFile(path, generatePrivateKey(), { signal })).rejects.toThrow("enough");
    await expect(readKeyFile(path, { signal })).rejects.toThrow("enough");
    await expect(stat(path)).rejects.toThrow();
  });
});
