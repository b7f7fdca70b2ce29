/** Tabs as their users have them: hidden ones are slow, and some are frozen. */

import { type Backend, createBackend, generatePrivateKey, PublicKey } from "@wice/core";
import { createGrpcTransport } from "@wice/node";
import { createRelay } from "@wice/node/relay";
import type { CDPSession } from "playwright-core";
import { describe, expect } from "vitest";
import { createTcpProxy } from "../kit/tcp-proxy.ts";
import type { TestPage } from "../kit/test-page.ts";
import { type Scene, test } from "./browser-test.ts";
import type { WebPage } from "./web-page.ts";

/** What Chromium prints of requests that fail for a network that is away. */
const expected = [/net::ERR_(INTERNET_DISCONNECTED|NETWORK_CHANGED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING)/];

/**
 * How long a call may take. A browser sends the next request on a connection that it still has, and does not know either
 * that it is dead; only the end of our patience makes it take another.
 */
const limits = { publishTimeoutMs: 1_000, subscribeTimeoutMs: 1_000 };

/** A page that is subscribed to a relay, and an agent in Node that publishes to it. */
async function createWorld({ chromium, open }: Scene, heartbeatMs = 15_000) {
  const opened = new AsyncDisposableStack();
  const relay = opened.use(await createRelay());
  const proxy = opened.use(await createTcpProxy({ target: { port: relay.port } }));
  const openTab = async (): Promise<TestPage<WebPage>> => opened.use(await open(chromium.tabs, { expected }));
  const page = await openTab();
  const { publicKey } = await page.call("openPeer", "page", {
    relay: `http://${proxy.address}`,
    heartbeatMs,
    ...limits,
  });
  await page.call("subscribe", "page");
  const agent: Backend = createBackend(createGrpcTransport({ url: relay.url }));
  opened.defer(() => agent.close());
  const ours = generatePrivateKey();
  return {
    ...{ page, proxy, relay, openTab },
    deliver: (text: string, timeoutMs = 10_000) =>
      agent.publish(
        { ours, theirs: PublicKey.parse(publicKey) },
        { payload: new TextEncoder().encode(text) },
        { until: "delivered", timeoutMs },
      ),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Puts another tab in front of the page. */
async function hide({ page, openTab }: Awaited<ReturnType<typeof createWorld>>): Promise<void> {
  const other = await openTab();
  await other.page.bringToFront();
  await page.call("untilHappening", "hidden");
}

async function freeze(page: TestPage<WebPage>): Promise<CDPSession> {
  const session = await page.debug();
  await session.send("Page.enable");
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  return session;
}

describe("a tab that its user does not look at", () => {
  test("receives and publishes as ever", async ({ browser }) => {
    await using world = await createWorld(browser);
    await hide(world);
    await world.deliver("for a hidden tab");
    expect(await world.page.call("received", "page")).toEqual(["for a hidden tab"]);
  });

  test("does not take slow timers for a dead relay", async ({ browser }) => {
    await using world = await createWorld(browser, 200);
    await hide(world);
    // A second each in a hidden tab, in which five heartbeats come.
    await world.page.call("untilTicks", 4);
    await world.deliver("still there");
    expect((await world.page.call("statuses", "page")).map(({ type }) => type)).toEqual(["subscribed"]);
  });

  test("gets what was sent while it was frozen, once it goes on", async ({ browser }) => {
    await using world = await createWorld(browser);
    await world.deliver("before");
    await hide(world);
    const session = await freeze(world.page);
    const delivery = world.deliver("meanwhile", 20_000);
    await expect(world.deliver("too late", 500)).rejects.toMatchObject({
      code: expect.stringMatching(/^(not-delivered|delivery-unknown)$/),
    });

    await session.send("Page.setWebLifecycleState", { state: "active" });
    await world.page.call("untilHappening", "resume");
    await delivery;
    await world.deliver("after");
    expect(await world.page.call("received", "page")).toEqual(expect.arrayContaining(["before", "meanwhile", "after"]));
  });
});

describe("a page whose network goes away", () => {
  test("says so, and goes on as soon as it is back", async ({ browser }) => {
    await using world = await createWorld(browser);
    const { page, proxy } = world;
    await world.deliver("before");
    proxy.blackhole();
    await browser.chromium.tabs.setOffline(true);
    await page.call("untilHappening", "offline");
    const publishing = page.call("publish", "page", `${generatePrivateKey().publicKey}`, "from underground");
    const { code, message } = await page.call("untilStatus", "page", "retrying");
    expect(code).toBe("unavailable");
    expect(message).toMatch(/offline/);

    await proxy.heal();
    await browser.chromium.tabs.setOffline(false);
    await publishing;
    await world.deliver("after");
    expect(await page.call("received", "page")).toEqual(["before", "after"]);
  });

  test("without being told notices by the heartbeats that stay away", async ({ browser }) => {
    await using world = await createWorld(browser, 200);
    await world.deliver("before");
    world.proxy.blackhole();
    const { code, message } = await world.page.call("untilStatus", "page", "lost");
    expect({ code, message }).toEqual({ code: "unavailable", message: expect.stringMatching(/heartbeat/) });
    await world.proxy.heal();
    await world.deliver("after", 20_000);
  });
});
