/** Several tabs of one origin. */

import { randomUUID } from "node:crypto";
import { createRelay } from "@wice/node/relay";
import { describe, expect } from "vitest";
import { insecureHost } from "../kit/chromium.ts";
import { createHttpProxy } from "../kit/http-proxy.ts";
import type { TestPage } from "../kit/test-page.ts";
import { test } from "./browser-test.ts";
import type { WebPage } from "./web-page.ts";

interface Tab {
  readonly page: TestPage<WebPage>;
  readonly publicKey: string;
}

async function openTab(page: TestPage<WebPage>, relay: string): Promise<Tab> {
  const { publicKey } = await page.call("openPeer", "peer", { relay });
  await page.call("subscribe", "peer");
  return { page, publicKey };
}

/** Each tab delivers to the next, all at once. */
async function goRound(tabs: readonly Tab[], word: string): Promise<void> {
  await Promise.all(
    tabs.map(async ({ page }, index) => {
      const next = tabs[(index + 1) % tabs.length] as Tab;
      const text = `${word} ${index}`;
      await page.call("publish", "peer", next.publicKey, text, { until: "delivered" });
      await next.page.call("untilReceived", "peer", text);
    }),
  );
}

describe("ten tabs of one origin on plain HTTP, where a browser has six connections to a host,", () => {
  test("all get their messages over one stream, whichever tab is closed, reloaded or crashes", async ({ open }) => {
    await using relay = await createRelay();
    const pages = await Promise.all(Array.from({ length: 10 }, () => open({ expected: [/the page crashed/] })));
    const tabs: Tab[] = [];
    for (const page of pages) tabs.push(await openTab(page, relay.url));
    await goRound(tabs, "first round");
    expect(relay.counters().connections).toBeLessThanOrEqual(6);
    expect(relay.counters().topics).toBe(10);

    // The tab that subscribed first has the stream.
    await tabs[0]?.page.close();
    await goRound(tabs.slice(1), "without the first");

    await tabs[1]?.page.page.reload();
    await goRound(tabs.slice(2), "without the second");
    tabs[1] = await openTab(tabs[1]?.page as TestPage<WebPage>, relay.url);
    await goRound(tabs.slice(1), "with the second again");

    const session = await tabs[2]?.page.debug();
    void session?.send("Page.crash").catch(() => {});
    await goRound([...tabs.slice(1, 2), ...tabs.slice(3)], "without the third");
  });
});

test("a tab that has the stream and hangs is replaced, and gets its messages again", async ({ open }) => {
  await using relay = await createRelay();
  await using page = await open();
  const leader = await openTab(page, relay.url);
  await using other = await open();
  const hanging = page.call("hang", 6_000);
  let hangs = true;
  hanging.finally(() => {
    hangs = false;
  });
  const follower = await openTab(other, relay.url);
  expect(hangs).toBe(true);
  await hanging;
  await goRound([leader, follower], "both");
});

test("keys that are subscribed one after another leave connections for what is published", async ({ open }) => {
  await using relay = await createRelay();
  await using proxy = await createHttpProxy(relay.url);
  await using page = await open();
  for (let count = 0; count < 12; count++) {
    await page.call("openPeer", `peer ${count}`, { relay: proxy.url });
    await page.call("subscribe", `peer ${count}`);
  }
  expect(relay.counters().topics).toBe(12);
  // The stream, the next one, and two that were replaced.
  expect(proxy.peak).toBeLessThanOrEqual(4);
});

describe("tabs of an origin that is no secure context cannot share a stream:", () => {
  test("one too many is told so, can publish, and takes the place of one that is closed", async ({ open }) => {
    await using relay = await createRelay();
    const pages = await Promise.all(Array.from({ length: 5 }, () => open({ host: insecureHost })));
    const last = pages.pop() as TestPage<WebPage>;
    const tabs: Tab[] = [];
    for (const page of pages) tabs.push(await openTab(page, relay.url));
    const { publicKey } = await last.call("openPeer", "peer", { relay: relay.url });
    const subscribing = last.call("subscribe", "peer");
    const { code, message } = await last.call("untilStatus", "peer", "lost");
    expect(code).toBe("resource-exhausted");
    expect(message).toMatch(/4 other tabs .* https/);

    await goRound(tabs, "four");
    await last.call("publish", "peer", (tabs[0] as Tab).publicKey, "from the fifth");
    await tabs[0]?.page.call("untilReceived", "peer", "from the fifth");

    await tabs[0]?.page.close();
    await subscribing;
    await goRound([...tabs.slice(1), { page: last, publicKey }], "four again");
  });
});

describe("two tabs without a relay", () => {
  test("deliver to each other over a BroadcastChannel, offline", async ({ open }) => {
    const relay = `broadcast:${randomUUID()}`;
    const tabs = [await openTab(await open(), relay), await openTab(await open(), relay)];
    await tabs[0]?.page.page.context().setOffline(true);
    await goRound(tabs, "hello");
  });
});
