import { randomUUID } from "node:crypto";
import { generatePrivateKey, isWiceError } from "@wice/core";
import { type OpenBackend, type OpenBackendOptions, openBackend } from "@wice/web";
import { describe, expect, onTestFinished, test } from "vitest";
import { countChannels } from "./support/channels.ts";
import { rejectionOf, wiceError } from "./support/errors.ts";
import { stubProperty } from "./support/globals.ts";
import { stubIndexedDb } from "./support/indexed-db.ts";

const reason = new Error("enough");

/** Until the end of the test. */
async function opened(options: OpenBackendOptions): Promise<OpenBackend> {
  const made = await openBackend(options);
  onTestFinished(() => made.backend.close());
  return made;
}

describe("openBackend", () => {
  test("has the page's key from the key store, the same each time, and closes the store", async () => {
    const database = stubIndexedDb();
    const relay = `broadcast:${randomUUID()}`;
    const [first, second, bob] = [
      await opened({ relay }),
      await opened({ relay, key: "default" }),
      await opened({ relay, key: "bob" }),
    ];
    expect(first.warning).toBeUndefined();
    expect(first.privateKey.publicKey.equals(second.privateKey.publicKey)).toBe(true);
    expect(first.privateKey.publicKey.equals(bob.privateKey.publicKey)).toBe(false);
    expect([...database.rows.keys()]).toEqual(["default", "bob"]);
    expect(database.open).toBe(0);
  });

  test("says so where the key is forgotten with the page", async () => {
    const { warning } = await opened({ relay: `broadcast:${randomUUID()}` });
    expect(warning).toMatch(/lost with the page/);
  });

  test("takes a key, and opens no store then", async () => {
    const database = stubIndexedDb();
    const privateKey = generatePrivateKey();
    const made = await opened({ relay: `broadcast:${randomUUID()}`, privateKey });
    expect(made).toMatchObject({ privateKey, warning: undefined });
    expect(database.opened).toBe(0);
  });

  test("gives a backend that reaches another one", async () => {
    const relay = `broadcast:${randomUUID()}`;
    const [alice, bob] = await Promise.all([opened({ relay }), opened({ relay })]);
    const inbox = await bob.backend.subscribe({ ours: bob.privateKey, theirs: alice.privateKey.publicKey });
    const pair = { ours: alice.privateKey, theirs: bob.privateKey.publicKey };
    await alice.backend.publish(pair, { payload: Uint8Array.of(1) }, { until: "delivered" });
    expect((await inbox[Symbol.asyncIterator]().next()).value?.message.payload).toEqual(Uint8Array.of(1));
  });

  test.each([
    ["gopher://host", "unknown-scheme"],
    ["relay.example.org", "invalid-url"],
    ["https://user@relay.example.org", "invalid-url"],
    ["broadcast:/x", "invalid-url"],
  ])("refuses %s", async (relay, code) => {
    const database = stubIndexedDb();
    expect(await rejectionOf(openBackend({ relay }))).toMatchObject({ code });
    expect(database.opened).toBe(0);
  });

  test("passes options on to a relay's transport", async () => {
    const connect = { publishTimeoutMs: -1 };
    const error = await rejectionOf(openBackend({ relay: "https://relay.example.org", connect }));
    expect(error).toEqual(wiceError("invalid-argument", /publishTimeoutMs/));
  });

  test("leaves nothing open when the key store fails", async () => {
    stubIndexedDb();
    const channels = countChannels();
    stubProperty(crypto.subtle, "importKey", async () => {
      throw new DOMException("broken", "OperationError");
    });
    const error = await rejectionOf(openBackend({ relay: `broadcast:${randomUUID()}` }));
    expect(isWiceError(error, "unavailable")).toBe(true);
    expect(channels.open).toEqual([]);
  });

  test("stops when it is told to, before and during, and leaves nothing open", async () => {
    const database = stubIndexedDb();
    const channels = countChannels();
    const relay = `broadcast:${randomUUID()}`;
    expect(await rejectionOf(openBackend({ relay, signal: AbortSignal.abort(reason) }))).toBe(reason);
    const controller = new AbortController();
    const opening = rejectionOf(openBackend({ relay, signal: controller.signal }));
    expect(channels.open).toHaveLength(1);
    controller.abort(reason);
    expect(await opening).toBe(reason);
    expect(channels.open).toEqual([]);
    await expect.poll(() => [database.opened, database.open]).toEqual([1, 0]);
  });
});
