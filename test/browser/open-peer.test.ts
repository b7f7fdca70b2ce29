/** `openPeer` in pages: from two public keys to a session, by way of a relay. */

import { createRelay, parseIceServer } from "@wice/node/relay";
import { describe, expect } from "vitest";
import { insecureHost } from "../kit/chromium.ts";
import type { TestPage } from "../kit/test-page.ts";
import { test } from "./browser-test.ts";
import type { WebPage } from "./web-page.ts";

/** What Chromium prints when it is told that there is no network. */
const expected = [/net::ERR_(INTERNET_DISCONNECTED|NETWORK_CHANGED)/];

/** Both say something to each other, over a session that the first begins or has. */
async function talk(
  [alice, bob]: readonly [TestPage<WebPage>, TestPage<WebPage>],
  [aliceKey, bobKey]: readonly [string, string],
): Promise<void> {
  expect(await alice.call("connect", "alice", bobKey)).toEqual({ remote: bobKey, protection: "dtls" });
  await alice.call("say", "alice", bobKey, "hello bob");
  expect((await bob.call("untilSaid", "bob", "hello bob")).from).toBe(aliceKey);
  await bob.call("say", "bob", aliceKey, "hello alice");
  expect((await alice.call("untilSaid", "alice", "hello alice")).from).toBe(bobKey);
}

describe("two pages that open a peer each", () => {
  test.for(["connect", "grpc-web"] as const)(
    "talk to each other, the relay spoken to in %s",
    async (protocol, { open }) => {
      await using relay = await createRelay();
      await using alice = await open();
      await using bob = await open();
      const options = { relay: relay.url, protocol };
      const caller = await alice.call("openWhole", "alice", { ...options, key: "alice" });
      const called = await bob.call("openWhole", "bob", { ...options, key: "bob", accept: true });
      expect(caller.warning).toBeUndefined();
      await talk([alice, bob], [caller.publicKey, called.publicKey]);
    },
  );

  test("talk on plain HTTP, with keys that are forgotten with the pages", async ({ browser }) => {
    await using relay = await createRelay();
    const context = await browser.chromium.browser.newContext();
    await using alice = await browser.open(context, { host: insecureHost });
    await using bob = await browser.open(context, { host: insecureHost });
    const url = `http://127.0.0.1:${relay.port}`;
    const caller = await alice.call("openWhole", "alice", { relay: url });
    const called = await bob.call("openWhole", "bob", { relay: url, accept: true });
    expect(caller.warning).toMatch(/lost with the page/);
    await talk([alice, bob], [caller.publicKey, called.publicKey]);
    await context.close();
  });

  test("use the STUN and TURN servers that the relay names, with credentials for their keys", async ({ open }) => {
    const iceServers = [parseIceServer("stun:127.0.0.1:9"), parseIceServer("turn:127.0.0.1:9?secret=abc")];
    await using relay = await createRelay({ iceServers });
    await using alice = await open();
    await using bob = await open();
    const caller = await alice.call("openWhole", "alice", { relay: relay.url, key: "alice" });
    const called = await bob.call("openWhole", "bob", { relay: relay.url, key: "bob", accept: true });
    await talk([alice, bob], [caller.publicKey, called.publicKey]);
    for (const [page, { publicKey }] of [
      [alice, caller],
      [bob, called],
    ] as const) {
      const used = (await page.call("iceServers")).filter((servers) => servers.length > 0);
      expect(used.length).toBeGreaterThan(0);
      for (const servers of used)
        expect(servers).toMatchObject([
          { urls: ["stun:127.0.0.1:9"] },
          { urls: ["turn:127.0.0.1:9"], username: expect.stringMatching(/^\d+:/), credential: expect.any(String) },
        ]);
      expect(used[0]?.[1]?.username).toContain(publicKey);
    }
  });

  test("leave nothing behind when one is closed, and the other one hears of it", async ({ open }) => {
    await using relay = await createRelay();
    await using alice = await open();
    await using bob = await open();
    const before = await alice.call("leftovers");
    const caller = await alice.call("openWhole", "alice", { relay: relay.url, key: "alice" });
    const called = await bob.call("openWhole", "bob", { relay: relay.url, key: "bob", accept: true });
    await talk([alice, bob], [caller.publicKey, called.publicKey]);
    const during = await alice.call("leftovers");
    expect(during.connections).toBe(1);
    expect(during.listeners).toBeGreaterThan(before.listeners);

    await alice.call("closeWhole", "alice");
    expect(await bob.call("untilEnded", "bob", caller.publicKey)).toMatchObject({ cause: "closed-by-peer" });
    expect(await alice.call("leftovers")).toEqual(before);
    await expect.poll(() => relay.counters().topics).toBe(1);
  });

  test("look for another path when the network is back, and go on", async ({ browser }) => {
    await using relay = await createRelay();
    const context = await browser.chromium.browser.newContext();
    await using alice = await browser.open(context, { expected });
    await using bob = await browser.open(context, { expected });
    const caller = await alice.call("openWhole", "alice", { relay: relay.url, key: "alice" });
    const called = await bob.call("openWhole", "bob", { relay: relay.url, key: "bob", accept: true });
    const keys = [caller.publicKey, called.publicKey] as const;
    await talk([alice, bob], keys);
    const before = await alice.call("ufrag", "alice", called.publicKey);
    await context.setOffline(true);
    await alice.call("untilHappening", "offline");
    await context.setOffline(false);
    await expect.poll(() => alice.call("ufrag", "alice", called.publicKey), { timeout: 10_000 }).not.toBe(before);
    await talk([alice, bob], keys);
    await context.close();
  });
});
