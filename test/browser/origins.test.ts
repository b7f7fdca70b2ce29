/** Which pages may call a relay, and what those are told that may not. */

import { createRelay } from "@wice/node/relay";
import { describe, expect } from "vitest";
import { createCertificate } from "../kit/certificate.ts";
import { insecureHost } from "../kit/chromium.ts";
import { servePage } from "../kit/page-site.ts";
import { openTestPage } from "../kit/test-page.ts";
import { pageEntry, test } from "./browser-test.ts";
import type { WebPage } from "./web-page.ts";

describe("a relay for the pages of one origin", () => {
  test("serves them", async ({ browser, open }) => {
    await using relay = await createRelay({ origins: [new URL(browser.site.url()).origin] });
    await using page = await open();
    const { publicKey } = await page.call("openPeer", "peer", { relay: relay.url });
    await page.call("openPeer", "other", { relay: relay.url });
    await page.call("subscribe", "peer");
    await page.call("publish", "other", publicKey, "hello", { until: "delivered" });
  });

  test.for(["connect", "grpc-web"] as const)("refuses the others, which %s tells them", async (protocol, { open }) => {
    await using relay = await createRelay({ origins: ["https://example.org"] });
    await using page = await open({ expected: [/blocked by CORS policy/, /net::ERR_FAILED/] });
    const { publicKey } = await page.call("openPeer", "peer", { relay: relay.url, protocol });
    await page.call("openPeer", "other", { relay: relay.url, protocol });
    const failure = { code: "unavailable", message: expect.stringMatching(/does not allow the origin of this page/) };
    await expect(page.call("publish", "other", publicKey, "hello", { timeoutMs: 500 })).rejects.toMatchObject(failure);
    void page.call("subscribe", "peer").catch(() => {});
    expect(await page.call("untilStatus", "peer", "lost")).toMatchObject(failure);
    await page.call("closePeer", "peer");
  });
});

test("a page that was loaded over https is told to use https, when the relay's URL is a plain one", async ({
  browser,
}) => {
  await using relay = await createRelay();
  await using site = await servePage({ entry: pageEntry, tls: await createCertificate() });
  const context = await browser.chromium.browser.newContext();
  const page = await openTestPage<WebPage>(context, site.url(), { expected: [/Mixed Content/, /net::ERR_FAILED/] });
  const { publicKey } = await page.call("openPeer", "peer", { relay: `http://${insecureHost}:${relay.port}` });
  const publishing = page.call("publish", "peer", publicKey.replace(/^./, "A"), "hello");
  await expect(publishing).rejects.toMatchObject({
    ...{ code: "unavailable", retryable: false },
    message: expect.stringMatching(/https/),
  });
  await page.close();
  await context.close();
});
