import { describe, expect } from "vitest";
import { startRelayProcess } from "../kit/relay-process.ts";
import { test } from "./browser-test.ts";

/** What Chromium prints of requests that fail while the relay is away. */
const expected = [
  /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)/,
];

describe("a relay that is killed and started again under a page:", () => {
  test.for([
    { protocol: "connect", shareStream: true },
    { protocol: "connect", shareStream: false },
    { protocol: "grpc-web", shareStream: true },
  ] as const)("the next message arrives ($protocol, shared: $shareStream)", async (options, { open }) => {
    await using first = await startRelayProcess();
    await using page = await open({ expected });
    const relay = first.url;
    const { publicKey } = await page.call("openPeer", "bob", { relay, ...options });
    await page.call("openPeer", "alice", { relay, ...options });
    await page.call("subscribe", "bob");
    await page.call("publish", "alice", publicKey, "before", { until: "delivered" });

    await first.stop();
    expect(await page.call("untilStatus", "bob", "lost")).toMatchObject({ code: "unavailable" });
    const delivery = page.call("publish", "alice", publicKey, "meanwhile", { until: "delivered" });
    await page.call("untilStatus", "alice", "lost");

    await using _ = await startRelayProcess(first.port);
    await delivery;
    await page.call("publish", "alice", publicKey, "after", { until: "delivered" });
    expect(await page.call("received", "bob")).toEqual(["before", "meanwhile", "after"]);
  });

  test("a page that was opened before there was a relay waits for it", async ({ open }) => {
    const probe = await startRelayProcess();
    await probe.stop();
    await using page = await open({ expected });
    const relay = probe.url;
    const { publicKey } = await page.call("openPeer", "bob", { relay });
    const subscribing = page.call("subscribe", "bob");
    const { message } = await page.call("untilStatus", "bob", "lost");
    expect(message).toContain(new URL(relay).host);
    await using _ = await startRelayProcess(probe.port);
    await subscribing;
    await page.call("openPeer", "alice", { relay });
    await page.call("publish", "alice", publicKey, "at last", { until: "delivered" });
  });
});
