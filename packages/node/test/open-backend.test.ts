import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generatePrivateKey, openBackend, readKeyFile } from "@wice/node";
import { createRelay } from "@wice/node/relay";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wice-open-"));
});
afterAll(() => rm(folder, { recursive: true }));

const relay = "http://127.0.0.1:9";

describe("openBackend", () => {
  test("makes a key file that only its owner can read, and finds it again", async () => {
    const keyFile = join(folder, "new.key");
    await using first = disposed(await openBackend({ relay, keyFile }));
    await using second = disposed(await openBackend({ relay, keyFile }));
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    expect(second.privateKey.publicKey.equals(first.privateKey.publicKey)).toBe(true);
    expect((await readKeyFile(keyFile)).publicKey.equals(first.privateKey.publicKey)).toBe(true);
  });

  test("makes one key for programs that start at once", async () => {
    const keyFile = join(folder, "raced.key");
    const opened = await Promise.all(Array.from({ length: 8 }, () => openBackend({ relay, keyFile })));
    expect(new Set(opened.map(({ privateKey }) => privateKey.publicKey.toString())).size).toBe(1);
    await Promise.all(opened.map(({ backend }) => backend.close()));
  });

  test("never replaces a file that is no key file", async () => {
    const keyFile = join(folder, "letter.txt");
    await writeFile(keyFile, "dear alice\n", { mode: 0o600 });
    await expect(openBackend({ relay, keyFile })).rejects.toMatchObject({ code: "invalid-key" });
    expect(await readFile(keyFile, "utf8")).toBe("dear alice\n");
  });

  test("uses the key that it is given, or one of its own", async () => {
    const privateKey = generatePrivateKey();
    await using given = disposed(await openBackend({ relay, privateKey }));
    await using own = disposed(await openBackend({ relay }));
    expect(given.privateKey).toBe(privateKey);
    expect(own.privateKey.publicKey.equals(privateKey.publicKey)).toBe(false);
  });

  test("refuses a URL that means nothing, and stops when it is told to", async () => {
    await expect(openBackend({ relay: "gopher://host" })).rejects.toMatchObject({ code: "unknown-scheme" });
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(openBackend({ relay, signal })).rejects.toThrow("enough");
  });

  test("gives a backend that reaches another one", async () => {
    await using server = await createRelay();
    await using alice = disposed(await openBackend({ relay: server.url }));
    await using bob = disposed(await openBackend({ relay: new URL(server.url) }));
    const inbox = await bob.backend.subscribe({ ours: bob.privateKey, theirs: alice.privateKey.publicKey });
    const pair = { ours: alice.privateKey, theirs: bob.privateKey.publicKey };
    await alice.backend.publish(pair, { payload: Uint8Array.of(1) }, { until: "delivered" });
    for await (const { message } of inbox) {
      expect(message.payload).toEqual(Uint8Array.of(1));
      break;
    }
  });
});

function disposed<T extends { readonly backend: { close(): Promise<void> } }>(opened: T): T & AsyncDisposable {
  return { ...opened, [Symbol.asyncDispose]: () => opened.backend.close() };
}
