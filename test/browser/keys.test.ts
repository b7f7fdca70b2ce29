/** The page's own keys. */

import { generatePrivateKey } from "@wice/core";
import { createRelay } from "@wice/node/relay";
import { describe, expect } from "vitest";
import { insecureHost } from "../kit/chromium.ts";
import { test } from "./browser-test.ts";

describe.concurrent("a key of the key store", () => {
  test("is the same after a reload and in another tab, and another one under another name", async ({ open }) => {
    await using page = await open();
    const first = await page.call("openKey", "wice", "alice");
    expect(first).toMatchObject({ protection: "non-extractable", warning: undefined });
    await page.page.reload();
    expect(await page.call("openKey", "wice", "alice")).toEqual(first);
    const other = await open();
    expect(await other.call("openKey", "wice", "alice")).toEqual(first);
    expect((await page.call("openKey", "wice", "bob")).publicKey).not.toBe(first.publicKey);
    expect((await page.call("openKey", "elsewhere", "alice")).publicKey).not.toBe(first.publicKey);
  });

  test("is one, though two tabs make it at the same time", async ({ open }) => {
    const pages = await Promise.all([open(), open(), open()]);
    const reports = await Promise.all(pages.map((page) => page.call("openKey", "wice", "alice")));
    expect(new Set(reports.map(({ publicKey }) => publicKey)).size).toBe(1);
  });

  test("cannot be read: not by us, not out of the database", async ({ open }) => {
    await using page = await open();
    const { publicKey } = await page.call("openKey", "wice", "alice");
    await expect(page.call("exportKey", "wice", "alice")).rejects.toMatchObject({ code: "unsupported" });
    expect((await page.call("readableValues", "wice")).toSorted()).toEqual(["alice", publicKey].sort());
  });

  test("comes from elsewhere on purpose, and goes out again only where that was said", async ({ open }) => {
    await using page = await open();
    const key = generatePrivateKey();
    const text = Buffer.from(key.exportKey()).toString("base64");
    const kept = await page.call("importKey", "wice", "kept", text);
    expect(kept.publicKey).toBe(`${key.publicKey}`);
    await expect(page.call("exportKey", "wice", "kept")).rejects.toMatchObject({ code: "unsupported" });
    await page.call("importKey", "wice", "lent", text, { extractable: true });
    await page.page.reload();
    expect(await page.call("exportKey", "wice", "lent")).toBe(text);
    expect(await page.call("listKeys", "wice")).toEqual([
      { name: "kept", publicKey: `${key.publicKey}`, extractable: false },
      { name: "lent", publicKey: `${key.publicKey}`, extractable: true },
    ]);
  });

  test("is never replaced without being deleted first", async ({ open }) => {
    await using page = await open();
    const before = await page.call("openKey", "wice", "alice");
    const text = Buffer.from(generatePrivateKey().exportKey()).toString("base64");
    await expect(page.call("importKey", "wice", "alice", text)).rejects.toMatchObject({ code: "invalid-argument" });
    expect(await page.call("openKey", "wice", "alice")).toEqual(before);
    await page.call("deleteKey", "wice", "alice");
    expect((await page.call("importKey", "wice", "alice", text)).publicKey).not.toBe(before.publicKey);
  });

  test.for(["", "not base64", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="])(
    "is no text like %j",
    async (text, { open }) => {
      await using page = await open();
      await expect(page.call("importKey", "wice", "alice", text)).rejects.toMatchObject({ code: "invalid-key" });
      expect(await page.call("listKeys", "wice")).toEqual([]);
    },
  );
});

test("where the page is no secure context, keys are in memory, and it says so", async ({ open }) => {
  await using page = await open({ host: insecureHost });
  const report = await page.call("openKey", "wice", "alice");
  expect(report).toMatchObject({ protection: "memory", warning: expect.stringMatching(/memory.*https/) });
  expect(await page.call("openKey", "wice", "alice")).toEqual(report);
  await expect(page.call("exportKey", "wice", "alice")).rejects.toMatchObject({ code: "unsupported" });
  await page.page.reload();
  expect((await page.call("openKey", "wice", "alice")).publicKey).not.toBe(report.publicKey);
});

describe("openBackend", () => {
  test.for([
    { host: "localhost", kept: true },
    { host: insecureHost, kept: false },
  ])("connects in one line from $host, with a key that is kept: $kept", async ({ host, kept }, { open }) => {
    await using relay = await createRelay();
    const [alice, bob] = await Promise.all([open({ host }), open({ host })]);
    const first = await alice.call("openPreset", "alice", { relay: relay.url, key: "alice" });
    const { publicKey } = await bob.call("openPreset", "bob", { relay: relay.url, key: "bob" });
    expect(first.warning === undefined).toBe(kept);
    await bob.call("subscribe", "bob");
    await alice.call("publish", "alice", publicKey, "hello", { until: "delivered" });
    expect((await bob.call("untilReceived", "bob", "hello")).sender).toBe(first.publicKey);

    await alice.page.reload();
    const again = await alice.call("openPreset", "alice", { relay: relay.url, key: "alice" });
    expect(again.publicKey === first.publicKey).toBe(kept);
  });
});
