import { inspect } from "node:util";
import { generatePrivateKey, importPrivateKey, open, type PublicKey, parsePrivateKey, seal } from "@wice/core";
import type { KeyStore } from "@wice/web";
import { describe, expect, test } from "vitest";
import { createMemoryKeyStore } from "../src/keys/memory-key-store.ts";
import { createStoredKeyStore } from "../src/keys/stored-key-store.ts";
import { createCountedController } from "./support/counted-signal.ts";
import { rejectionOf, wiceError } from "./support/errors.ts";
import { createFakeDatabase } from "./support/key-database.ts";

const reason = new Error("enough");
const peer = generatePrivateKey();

const secret = generatePrivateKey();
const secretBytes = secret.exportKey();
const secretText = Buffer.from(secretBytes).toString("base64");

const stores: readonly { readonly kind: string; create(): Promise<KeyStore> }[] = [
  { kind: "memory", create: () => createMemoryKeyStore("only in memory") },
  { kind: "non-extractable", create: async () => createStoredKeyStore(createFakeDatabase().open()) },
];

describe.each(stores)("a key store whose protection is $kind", ({ kind, create }) => {
  test("says what it is", async () => {
    const store = await create();
    expect(store.protection).toBe(kind);
    expect(store.warning).toBe(kind === "memory" ? "only in memory" : undefined);
  });

  test("makes a key on first use, and has the same one ever after", async () => {
    const store = await create();
    const key = await store.open("alice");
    expect((await store.open("alice")).publicKey.equals(key.publicKey)).toBe(true);
    expect((await store.open("bob")).publicKey.equals(key.publicKey)).toBe(false);
    expect(await store.list()).toEqual([
      { name: "alice", publicKey: key.publicKey, extractable: false },
      { name: "bob", publicKey: expect.anything(), extractable: false },
    ]);
  });

  test("has keys that open and seal", async () => {
    const ours = await (await create()).open("alice");
    const there = await seal({ ours, theirs: peer.publicKey }, Uint8Array.of(1, 2, 3));
    expect(await open(peer, there)).toEqual(Uint8Array.of(1, 2, 3));
    const back = await seal({ ours: peer, theirs: ours.publicKey }, Uint8Array.of(4));
    expect(await open(ours, back)).toEqual(Uint8Array.of(4));
  });

  test.each([
    ["bytes", secretBytes],
    ["text", secretText],
    ["text with white space around it", ` ${secretText}\n`],
  ])("takes a key from elsewhere as %s", async (_, given) => {
    const store = await create();
    const key = await store.import("alice", given);
    expect(key.publicKey.equals(secret.publicKey)).toBe(true);
    expect(await key.sharedSecret(peer.publicKey)).toEqual(await secret.sharedSecret(peer.publicKey));
    expect((await store.open("alice")).publicKey.equals(secret.publicKey)).toBe(true);
  });

  test("does not alter the bytes that it is given", async () => {
    const given = secret.exportKey();
    await (await create()).import("alice", given);
    expect(given).toEqual(secretBytes);
  });

  test.each([
    ["", "empty"],
    ["x", "short"],
    [secretText.slice(0, -1), "without its padding"],
    [`${secretText.slice(0, -2)}B=`, "with bits that are not zero at its end"],
    [`${secretText}A`, "too long"],
    [secretText.replace(/^./, "-"), "of another alphabet"],
    ["A".repeat(43).concat("="), "of zeros"],
    [new Uint8Array(31).fill(1), "31 bytes"],
    [new Uint8Array(33).fill(1), "33 bytes"],
    [new Uint8Array(32), "zeros"],
    [32 as unknown as string, "a number"],
    [undefined as unknown as string, "nothing"],
  ])("refuses %j, which is no key: %s", async (given, _) => {
    const store = await create();
    const error = await rejectionOf(store.import("alice", given));
    expect(error).toEqual(wiceError("invalid-key"));
    if (typeof given === "string" && given.length > 3) expect(inspect(error, { depth: 9 })).not.toContain(given);
    expect(await store.list()).toEqual([]);
  });

  test("gives a key out only where that was said at its import", async () => {
    const store = await create();
    await store.open("made");
    await store.import("kept", secretText);
    await store.import("lent", secretText, { extractable: true });
    expect(await store.exportText("lent")).toBe(secretText);
    expect(await rejectionOf(store.exportText("made"))).toEqual(wiceError("unsupported", /cannot be exported/));
    expect(await rejectionOf(store.exportText("kept"))).toEqual(wiceError("unsupported", /cannot be exported/));
    expect(await rejectionOf(store.exportText("nobody's"))).toEqual(wiceError("invalid-argument"));
    expect((await store.list()).map(({ name, extractable }) => [name, extractable])).toEqual([
      ["made", false],
      ["kept", false],
      ["lent", true],
    ]);
    for (const name of ["made", "kept", "lent"]) {
      const key = await store.open(name);
      expect(() => key.exportKey()).toThrow(wiceError("unsupported"));
      expect(inspect(key, { depth: 9, showHidden: true })).not.toContain(secretText);
    }
  });

  test("exports what WireGuard and the command line read", async () => {
    const store = await create();
    const unclamped = new Uint8Array(32).fill(255);
    await store.import("alice", unclamped, { extractable: true });
    const read = parsePrivateKey(await store.exportText("alice"));
    expect(read.publicKey.equals(importPrivateKey(unclamped).publicKey)).toBe(true);
  });

  test("never replaces a key", async () => {
    const store = await create();
    const before = await store.open("alice");
    expect(await rejectionOf(store.import("alice", secretText))).toEqual(wiceError("invalid-argument", /delete/));
    expect((await store.open("alice")).publicKey.equals(before.publicKey)).toBe(true);
    await store.delete("alice");
    await store.delete("alice");
    expect(await store.list()).toEqual([]);
    expect((await store.import("alice", secretText)).publicKey.equals(secret.publicKey)).toBe(true);
  });

  test.each(["", "__proto__", "constructor", "名前", "a b"])("takes any name, such as %j", async (name) => {
    const store = await create();
    const { publicKey } = await store.open(name);
    expect((await store.list()).map((each): [string, PublicKey] => [each.name, each.publicKey])).toEqual([
      [name, publicKey],
    ]);
  });

  test("that is closed refuses, and leaves the keys that it gave out", async () => {
    const store = await create();
    const key = await store.open("alice");
    store.close();
    store.close();
    for (const call of calls(store)) expect(await rejectionOf(call({}))).toEqual(wiceError("closed"));
    expect(await key.sharedSecret(peer.publicKey)).toEqual(await peer.sharedSecret(key.publicKey));
  });

  test("does nothing for whoever has aborted already", async () => {
    const store = await create();
    const signal = AbortSignal.abort(reason);
    for (const call of calls(store)) expect(await rejectionOf(call({ signal }))).toBe(reason);
    expect(await store.list()).toEqual([]);
  });

  test("leaves no listener behind", async () => {
    const store = await create();
    const controller = createCountedController();
    for (const call of calls(store)) await call({ signal: controller.signal }).catch(() => {});
    await new Promise(setImmediate);
    expect(controller.listeners).toBe(0);
  });
});

function calls(store: KeyStore): readonly ((options: { signal?: AbortSignal }) => Promise<unknown>)[] {
  return [
    (options) => store.open("bob", options),
    (options) => store.import("carol", secretText, options),
    (options) => store.exportText("carol", options),
    (options) => store.list(options),
    (options) => store.delete("carol", options),
  ];
}

describe("tabs that share a database", () => {
  test("have one key, though both make it at the same time", async () => {
    const database = createFakeDatabase();
    const both = Promise.withResolvers<void>();
    let adding = 0;
    database.beforeAdd = async () => {
      adding += 1;
      if (adding === 2) both.resolve();
      await both.promise;
    };
    const tabs = [createStoredKeyStore(database.open()), createStoredKeyStore(database.open())];
    const [first, second] = await Promise.all(tabs.map((tab) => tab.open("alice")));
    expect(adding).toBe(2);
    expect(first?.publicKey.equals(second?.publicKey as PublicKey)).toBe(true);
    expect(await first?.sharedSecret(peer.publicKey)).toEqual(await second?.sharedSecret(peer.publicKey));
  });

  test("say so where one deletes what the other has not read yet", async () => {
    const database = createFakeDatabase();
    const inner = database.open();
    const store = createStoredKeyStore({ ...inner, add: async () => false });
    expect(await rejectionOf(store.open("alice"))).toEqual(wiceError("unavailable", /another tab/));
  });
});

describe("a database that fails", () => {
  test("is told as unavailable, with the browser's own error as the cause", async () => {
    const database = createFakeDatabase();
    const store = createStoredKeyStore(database.open());
    database.failure = new DOMException("the disk is full", "QuotaExceededError");
    for (const call of calls(store)) {
      const error = await rejectionOf(call({}));
      expect(error).toEqual(wiceError("unavailable", /database/));
      expect((error as Error).cause).toBe(database.failure);
    }
  });

  test("or hangs does not hold up whoever aborts", async () => {
    const database = createFakeDatabase();
    const hung = Promise.withResolvers<void>();
    database.beforeAdd = () => hung.promise;
    const controller = createCountedController();
    const opening = rejectionOf(createStoredKeyStore(database.open()).open("alice", { signal: controller.signal }));
    while (controller.listeners === 0) await new Promise(setImmediate);
    controller.abort(reason);
    expect(await opening).toBe(reason);
    hung.resolve();
  });

  test("has nothing that scripts could read in it", async () => {
    const database = createFakeDatabase();
    const store = createStoredKeyStore(database.open());
    await store.open("made");
    await store.import("kept", secretText);
    for (const { key } of database.records.values()) {
      expect(key.extractable).toBe(false);
      for (const format of ["pkcs8", "jwk", "raw"] as const) {
        await expect(crypto.subtle.exportKey(format, key)).rejects.toThrow();
      }
    }
  });
});
