/** What a relay grants to a page, and what it says beyond. */

import { generatePrivateKey } from "@wice/core";
import { createRelay } from "@wice/node/relay";
import { describe, expect } from "vitest";
import { test } from "./browser-test.ts";

/** Chromium prints every answer that is an error. */
const expected = [/the server responded with a status of 429/];

describe.each(["connect", "grpc-web"] as const)("over %s", (protocol) => {
  const someone = `${generatePrivateKey().publicKey}`;

  test("a message that is too large for the relay is refused once and for all", async ({ open }) => {
    await using relay = await createRelay({ limits: { maxEnvelopeBytes: 1_000 } });
    await using page = await open({ expected });
    await page.call("openPeer", "peer", { relay: relay.url, protocol });
    await page.call("publish", "peer", someone, "x".repeat(500));
    const publishing = page.call("publish", "peer", someone, "x".repeat(2_000));
    await expect(publishing).rejects.toMatchObject({ code: "resource-exhausted", retryable: false });
    expect(await page.call("statuses", "peer")).toEqual([]);
  });

  test("a quota that is used up is waited for as long as the relay says", async ({ open }) => {
    await using relay = await createRelay({ limits: { publishesPerAddress: { perSecond: 2, burst: 1 } } });
    await using page = await open({ expected });
    await page.call("openPeer", "peer", { relay: relay.url, protocol });
    await page.call("publish", "peer", someone, "one");
    await page.call("publish", "peer", someone, "two");
    const [status] = await page.call("statuses", "peer");
    expect(status).toMatchObject({ type: "retrying", code: "resource-exhausted" });
    expect(relay.counters().published).toBe(2);
  });

  test("a subscription beyond the relay's limit says so, and is had once there is room", async ({ open }) => {
    await using relay = await createRelay({ limits: { maxSubscriptionsPerKey: 1, maxSubscribeDelayMs: 100 } });
    await using page = await open({ expected });
    const privateKey = Buffer.from(generatePrivateKey().exportKey()).toString("base64");
    for (const name of ["first", "second"]) {
      await page.call("openPeer", name, { relay: relay.url, protocol, privateKey, shareStream: false });
    }
    await page.call("subscribe", "first");
    const subscribing = page.call("subscribe", "second");
    expect(await page.call("untilStatus", "second", "lost")).toMatchObject({ code: "resource-exhausted" });
    await page.call("closePeer", "first");
    await subscribing;
  });
});
