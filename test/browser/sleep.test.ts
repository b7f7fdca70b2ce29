/** Tabs as their users have them: hidden ones are slow, and some are frozen. */

import { type Backend, createBackend, generatePrivateKey, PublicKey } from "@wice/core";
import { createGrpcTransport } from "@wice/node";
import { createRelay } from "@wice/node/relay";
import type { CDPSession } from "playwright-core";
import { describe, expect } from "vitest";
import { createTcpProxy } from "../kit/tcp-proxy.ts";
import type { TestPage } from "../kit/test-page.ts";
import { type Scene, test } from "./browser-test.ts";
import type { TransportOptions, WebPage } from "./web-page.ts";

/** What Chromium prints of requests that fail for a network that is away. */
const expected = [/net::ERR_(INTERNET_DISCONNECTED|NETWORK_CHANGED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING)/];

/**
 * How long a call may take. A browser sends the next request on a connection that it still has, and does not know either
 * that it is dead; only the end of our patience makes it take another.
 */
const limits = { publishTimeoutMs: 1_000, subscribeTimeoutMs: 1_000 };

/** A page that is subscribed to a relay, and an agent in Node that publishes to it. */
async function createWorld({ chromium, open }: Scene, options: Omit<TransportOptions, "relay"> = {}) {
  const opened = new AsyncDisposableStack();
  const relay = opened.use(await createRelay());
  const proxy = opened.use(await createTcpProxy({ target: { port: relay.port } }));
  const openTab = async (): Promise<TestPage<WebPage>> => opened.use(await open(chromium.tabs, { expected }));
  const page = await openTab();
  const openPeer = async ({ call }: TestPage<WebPage>): Promise<PublicKey> => {
    const relayed = { relay: `http://${proxy.address}`, ...limits, ...options };
    const { publicKey } = await call("openPeer", "peer", relayed);
    await call("subscribe", "peer");
    return PublicKey.parse(publicKey);
  };
  const key = await openPeer(page);
  opened.defer(() => chromium.tabs.setOffline(false));
  const agent: Backend = createBackend(createGrpcTransport({ url: relay.url }));
  opened.defer(() => agent.close());
  const ours = generatePrivateKey();
  return {
    ...{ page, proxy, openTab, openPeer },
    deliver: (text: string, { to = key, timeoutMs = 10_000 } = {}) =>
      agent.publish(
        { ours, theirs: to },
        { payload: new TextEncoder().encode(text) },
        { until: "delivered", timeoutMs },
      ),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Puts another tab in front of the page. */
async function hide({ page, openTab }: Awaited<ReturnType<typeof createWorld>>): Promise<TestPage<WebPage>> {
  const other = await openTab();
  await other.page.bringToFront();
  await page.call("untilHappening", "hidden");
  return other;
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
    expect(await world.page.call("received", "peer")).toEqual(["for a hidden tab"]);
  });

  test("does not take slow timers for a dead relay", async ({ browser }) => {
    await using world = await createWorld(browser, { heartbeatMs: 200 });
    await hide(world);
    // A second each in a hidden tab, in which five heartbeats come.
    await world.page.call("untilTicks", 4);
    await world.deliver("still there");
    expect((await world.page.call("statuses", "peer")).map(({ type }) => type)).toEqual(["subscribed"]);
  });

  test.for([true, false])(
    "gets what was sent while it was frozen, once it goes on (stream shared: %s)",
    async (shareStream, { browser }) => {
      await using world = await createWorld(browser, { shareStream });
      await world.deliver("before");
      await hide(world);
      const session = await freeze(world.page);
      const delivery = world.deliver("meanwhile", { timeoutMs: 20_000 });
      await expect(world.deliver("too late", { timeoutMs: 500 })).rejects.toMatchObject({
        code: expect.stringMatching(/^(not-delivered|delivery-unknown)$/),
      });

      await session.send("Page.setWebLifecycleState", { state: "active" });
      await world.page.call("untilHappening", "resume");
      await delivery;
      await world.deliver("after");
      expect(await world.page.call("received", "peer")).toEqual(
        expect.arrayContaining(["before", "meanwhile", "after"]),
      );
    },
  );

  test("leaves the shared stream to another when it is frozen, and comes back to that", async ({ browser }) => {
    await using world = await createWorld(browser);
    const other = await hide(world);
    const to = await world.openPeer(other);
    await world.deliver("by the first tab", { to });
    const session = await freeze(world.page);
    await world.deliver("by the second tab", { to });
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await world.deliver("for the first tab again");
    await world.deliver("for both", { to });
  });
});

test("a page that its user leaves and goes back to is where it was", async ({ browser }) => {
  await using world = await createWorld(browser);
  await world.deliver("before");
  const { page } = world.page;
  const here = page.url();
  await page.goto(browser.site.url("127.0.0.1"));
  const back = page.waitForURL(here, { waitUntil: "commit" });
  await page.evaluate("void setTimeout(() => history.back())");
  await back;
  await world.page.call("untilHappening", "back");
  await world.deliver("after");
  expect(await world.page.call("received", "peer")).toEqual(["before", "after"]);
});

describe("a page whose network goes away", () => {
  test("says so, and goes on as soon as it is back", async ({ browser }) => {
    await using world = await createWorld(browser);
    const { page, proxy } = world;
    await world.deliver("before");
    proxy.blackhole();
    await browser.chromium.tabs.setOffline(true);
    await page.call("untilHappening", "offline");
    const publishing = page.call("publish", "peer", `${generatePrivateKey().publicKey}`, "from underground");
    const { code, message } = await page.call("untilStatus", "peer", "retrying");
    expect(code).toBe("unavailable");
    expect(message).toMatch(/offline/);

    await proxy.heal();
    await browser.chromium.tabs.setOffline(false);
    await publishing;
    await world.deliver("after");
    expect(await page.call("received", "peer")).toEqual(["before", "after"]);
  });

  test("without being told notices by the heartbeats that stay away", async ({ browser }) => {
    await using world = await createWorld(browser, { heartbeatMs: 200 });
    await world.deliver("before");
    world.proxy.blackhole();
    const { code, message } = await world.page.call("untilStatus", "peer", "lost");
    expect({ code, message }).toEqual({ code: "unavailable", message: expect.stringMatching(/heartbeat/) });
    await world.proxy.heal();
    await world.deliver("after", { timeoutMs: 20_000 });
  });
});
