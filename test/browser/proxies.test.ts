/** What stands between a page and its relay: proxies, portals, and servers that are none. */

import { generatePrivateKey } from "@wice/core";
import { createRelay } from "@wice/node/relay";
import { describe, expect } from "vitest";
import { createHttpProxy, type HttpFault, type HttpProxy } from "../kit/http-proxy.ts";
import type { TestPage } from "../kit/test-page.ts";
import { test } from "./browser-test.ts";
import type { TransportOptions, WebPage } from "./web-page.ts";

const expected = [/net::ERR_/, /the server responded with a status of/, /blocked by CORS policy/];
const protocols = ["connect", "grpc-web"] as const;

interface World extends AsyncDisposable {
  readonly proxy: HttpProxy;
  readonly page: TestPage<WebPage>;
  /** From a peer that reaches the relay without the proxy. */
  deliver(text: string): Promise<unknown>;
}

/** A peer behind a proxy, not yet subscribed, and one in the clear. */
async function createWorld(page: TestPage<WebPage>, options: Omit<TransportOptions, "relay">): Promise<World> {
  await using opened = new AsyncDisposableStack();
  const relay = opened.use(await createRelay());
  const proxy = opened.use(await createHttpProxy(relay.url));
  const { publicKey } = await page.call("openPeer", "peer", { relay: proxy.url, ...options });
  await page.call("openPeer", "other", { relay: relay.url });
  const parts = opened.move();
  return {
    ...{ proxy, page },
    deliver: (text) => page.call("publish", "other", publicKey, text, { until: "delivered" }),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

const html: HttpFault = {
  kind: "answer",
  status: 200,
  headers: { "content-type": "text/html" },
  body: "<title>Welcome to our hotel</title>",
};

/** Faults that pass, and what the page is told of them. */
const passing: readonly { readonly name: string; readonly fault: HttpFault; readonly told: object }[] = [
  {
    name: "a portal's page that it may not read",
    fault: { ...html, cors: false },
    told: { code: "unavailable", message: expect.stringMatching(/does not allow the origin/) },
  },
  {
    name: "503 with a time to wait",
    fault: { kind: "answer", status: 503, headers: { "retry-after": "1", "content-type": "text/plain" } },
    told: { code: "unavailable", retryInMs: expect.toSatisfy((ms) => ms >= 1_000) },
  },
  {
    name: "503 in JSON",
    fault: {
      ...{ kind: "answer", status: 503, headers: { "retry-after": "1", "content-type": "application/json" } },
      body: '{"message":"no upstream"}',
    },
    told: { code: "unavailable", retryInMs: expect.toSatisfy((ms) => ms >= 1_000) },
  },
  {
    name: "429 with a time to wait",
    fault: { kind: "answer", status: 429, headers: { "retry-after": "1", "content-type": "text/plain" } },
    told: { code: "resource-exhausted", retryInMs: expect.toSatisfy((ms) => ms >= 1_000) },
  },
  { name: "502", fault: { kind: "answer", status: 502, body: "bad gateway" }, told: { code: "unavailable" } },
  {
    name: "silence",
    fault: { kind: "silence" },
    told: { code: "unavailable", message: expect.stringMatching(/within 400 ms/) },
  },
  { name: "a broken connection", fault: { kind: "cut", afterBytes: 0 }, told: { code: "unavailable" } },
  { name: "half an answer", fault: { kind: "cut", afterBytes: 3 }, told: { code: "unavailable" } },
];

const noRelay = { code: "protocol", message: expect.stringMatching(/proxy or a login page/) };

/** Faults that a page cannot wait for to pass. */
const lasting: readonly { readonly name: string; readonly fault: HttpFault; readonly told: object }[] = [
  { name: "a page of HTML", fault: html, told: noRelay },
  { name: "a wrong Content-Type", fault: { kind: "type", contentType: "text/plain" }, told: noRelay },
  {
    name: "JSON of another server",
    fault: { kind: "answer", status: 200, headers: { "content-type": "application/json" }, body: '{"hello":"world"}' },
    told: noRelay,
  },
  {
    name: "404",
    fault: { kind: "answer", status: 404, headers: { "content-type": "text/html" }, body: "<h1>Not found</h1>" },
    told: { code: "unsupported" },
  },
  {
    name: "403",
    fault: { kind: "answer", status: 403, headers: { "content-type": "text/html" }, body: "<h1>Forbidden</h1>" },
    told: { code: "permission-denied" },
  },
];

for (const protocol of protocols) {
  describe.concurrent(`over ${protocol}, in place of the relay's answer`, () => {
    test.for(passing)("$name is told with a type, and got over", async ({ fault, told }, { open }) => {
      await using page = await open({ expected });
      const limits = { publishTimeoutMs: 400, subscribeTimeoutMs: 400 };
      await using world = await createWorld(page, { protocol, ...limits });
      world.proxy.fail(fault);
      const subscribing = page.call("subscribe", "peer");
      const publishing = page.call("publish", "peer", `${generatePrivateKey().publicKey}`, "hello");
      expect(await page.call("untilStatus", "peer", "lost")).toMatchObject(told);
      expect(await page.call("untilStatus", "peer", "retrying")).toMatchObject(told);

      world.proxy.heal();
      await publishing;
      await subscribing;
      await world.deliver("at last");
    });

    test.for(lasting)("$name is told with a type, at once", async ({ fault, told }, { open }) => {
      await using page = await open({ expected });
      await using world = await createWorld(page, { protocol });
      world.proxy.fail(fault);
      await expect(page.call("subscribe", "peer")).rejects.toMatchObject(told);
      const publishing = page.call("publish", "peer", `${generatePrivateKey().publicKey}`, "hello");
      await expect(publishing).rejects.toMatchObject(told);
    });

    test("garbage of the right type ends a subscription with a type", async ({ open }) => {
      await using page = await open({ expected });
      await using world = await createWorld(page, { protocol });
      world.proxy.fail({ kind: "garbage", bytes: new Uint8Array(64).fill(0xfb) });
      await expect(page.call("subscribe", "peer")).rejects.toMatchObject({ code: "protocol" });
    });

    test("a proxy that holds the stream back is named as what it is", async ({ open }) => {
      await using page = await open({ expected });
      await using world = await createWorld(page, { protocol, subscribeTimeoutMs: 400 });
      world.proxy.fail({ kind: "buffer" }, "Listen");
      const subscribing = page.call("subscribe", "peer");
      const { code, message } = await page.call("untilStatus", "peer", "lost");
      expect({ code, message }).toEqual({
        code: "unavailable",
        message: expect.stringMatching(/proxy .* holding .* back/),
      });
      // What is short comes through.
      await page.call("publish", "peer", `${generatePrivateKey().publicKey}`, "hello");
      world.proxy.heal();
      await subscribing;
    });

    test.for([
      { how: "cut within an envelope", afterBytes: 60 },
      { how: "ended within an envelope", afterBytes: 60, orderly: true },
      { how: "ended after its first message", afterBytes: 5, orderly: true },
    ] as const)("a stream that is $how goes on in the next one", async ({ how: _, ...end }, { open }) => {
      await using page = await open({ expected });
      await using world = await createWorld(page, { protocol });
      // The first envelope of a stream is empty, and five bytes long; the next is cut in its middle.
      world.proxy.fail({ kind: "cut", ...end }, "Listen");
      await page.call("subscribe", "peer");
      world.proxy.heal();
      await world.deliver("the envelope that was cut");
      expect(await page.call("untilStatus", "peer", "lost")).toMatchObject({ code: "unavailable" });
      expect(await page.call("received", "peer")).toEqual(["the envelope that was cut"]);
    });
  });
}
