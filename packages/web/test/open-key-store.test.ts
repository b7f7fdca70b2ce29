import { openKeyStore } from "@wice/web";
import { describe, expect, test } from "vitest";
import { openDatabase } from "../src/keys/database.ts";
import { createCountedController } from "./support/counted-signal.ts";
import { rejectionOf } from "./support/errors.ts";
import { stubGlobal, stubProperty } from "./support/globals.ts";
import { stubIndexedDb } from "./support/indexed-db.ts";

const reason = new Error("enough");

/** As in a page that is no secure context, and in older browsers: there the whole of `crypto.subtle` is missing, or X25519. */
function removeX25519(): void {
  stubProperty(crypto.subtle, "generateKey", async () => {
    throw new DOMException("unknown algorithm", "NotSupportedError");
  });
}

describe("openKeyStore", () => {
  test("keeps keys in the browser's database", async () => {
    const database = stubIndexedDb();
    const store = await openKeyStore();
    expect([store.protection, store.warning]).toEqual(["non-extractable", undefined]);
    const { publicKey } = await store.open("alice");
    store.close();
    expect([database.rows.size, database.open]).toEqual([1, 0]);
    expect(await (await openKeyStore()).list()).toEqual([{ name: "alice", publicKey, extractable: false }]);
  });

  test("says what to do where a page without https gets no WebCrypto", async () => {
    stubIndexedDb();
    removeX25519();
    stubGlobal("isSecureContext", false);
    const { protection, warning } = await openKeyStore();
    expect([protection, warning]).toEqual([
      "memory",
      expect.stringMatching(/lost with the page: .* https or from localhost/),
    ]);
  });

  test("says what to do where the browser is too old", async () => {
    stubIndexedDb();
    removeX25519();
    stubGlobal("isSecureContext", true);
    const { protection, warning } = await openKeyStore();
    expect([protection, warning]).toEqual(["memory", expect.stringMatching(/use a newer one/)]);
  });

  test("says so where the browser refuses a database", async () => {
    const database = stubIndexedDb();
    database.openError = new DOMException("not here", "SecurityError");
    const { protection, warning } = await openKeyStore();
    expect([protection, warning]).toEqual(["memory", expect.stringMatching(/private windows/)]);
  });

  test("does not take a database that fails for one that is not there: the keys may well be in it", async () => {
    const database = stubIndexedDb();
    database.openError = new DOMException("written by a newer version", "VersionError");
    expect(await rejectionOf(openKeyStore())).toMatchObject({ code: "unavailable" });
  });

  test("says so where there is no database at all", async () => {
    expect((await openKeyStore()).protection).toBe("memory");
  });

  test("that is aborted rejects with the reason, before and during, and leaves no database open", async () => {
    const database = stubIndexedDb();
    expect(await rejectionOf(openKeyStore({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    const controller = createCountedController();
    const opening = rejectionOf(openKeyStore({ signal: controller.signal }));
    controller.abort(reason);
    expect(await opening).toBe(reason);
    await expect.poll(() => [database.opened, database.open]).toEqual([1, 0]);
  });
});

describe("the database of a key store", () => {
  const record = async (name: string) => {
    const { privateKey } = (await crypto.subtle.generateKey({ name: "X25519" }, false, [
      "deriveBits",
    ])) as CryptoKeyPair;
    return { name, key: privateKey, publicKey: new Uint8Array(32) };
  };
  const opened = async () => {
    const database = await openDatabase("wice");
    if (database === undefined) throw new Error("there is one");
    return database;
  };

  test("never replaces a row", async () => {
    const fake = stubIndexedDb();
    const database = await opened();
    const first = await record("alice");
    expect(await database.add(first)).toBe(true);
    expect(await database.add(await record("alice"))).toBe(false);
    expect(await database.get("alice")).toBe(first);
    expect(fake.unhandled).toBe(0);
    await database.delete("alice");
    expect(await database.get("alice")).toBeUndefined();
  });

  test("has a row only once it is written", async () => {
    const fake = stubIndexedDb();
    const database = await opened();
    fake.commitError = new DOMException("the disk is full", "QuotaExceededError");
    expect(await rejectionOf(database.add(await record("alice")))).toBe(fake.commitError);
    expect(await rejectionOf(database.delete("alice"))).toBe(fake.commitError);
  });
});
