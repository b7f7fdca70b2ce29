import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";

const tool = new URL("../tools/vectors.ts", import.meta.url).pathname;
const vectors = new URL("../vectors/cunicu.json", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "wice-vectors-"));
afterAll(() => rmSync(folder, { recursive: true }));

function run(file: string): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--conditions=@wice/source", tool, file], {
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

function runChanged(change: (content: Record<string, Record<string, unknown>[]>) => void): ReturnType<typeof run> {
  const content = JSON.parse(readFileSync(vectors, "utf8"));
  change(content);
  const file = join(folder, "changed.json");
  writeFileSync(file, JSON.stringify(content));
  return run(file);
}

describe("known answers of the Go implementation", () => {
  test("all of them are ours too", () => {
    const { status, output } = run(vectors);
    expect(output).toContain("envelopes              28 ok");
    expect(status).toBe(0);
  });

  test.each([
    ["keys", "publicKeyHex"],
    ["pairs", "x25519SharedHex"],
    ["passphrases", "privateKey"],
    ["messages", "binaryHex"],
    ["otherMessages", "binaryHex"],
    ["envelopes", "bodyHex"],
    ["turnRestCredentials", "password"],
  ])("one changed character in %s is found and named", (section, field) => {
    const { status, output } = runChanged((content) => {
      const entry = content[section]?.at(-1) as Record<string, string>;
      const value = entry[field] as string;
      entry[field] = value.slice(0, 9) + (value[9] === "a" ? "b" : "a") + value.slice(10);
    });
    expect(output).toMatch(new RegExp(`vectors: ${section}\\[\\d+\\]`));
    expect(status).toBe(1);
  });

  test("a section that is missing or not known fails", () => {
    expect(runChanged((content) => void delete content.pairs)).toMatchObject({ status: 1 });
    expect(runChanged((content) => Object.assign(content, { pears: [] }))).toMatchObject({ status: 1 });
  });
});
