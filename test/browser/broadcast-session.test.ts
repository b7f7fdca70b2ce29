/** Sessions between the tabs of one origin, with no server at all. */

import { randomUUID } from "node:crypto";
import { describe, expect } from "vitest";
import { test } from "./browser-test.ts";

describe("two tabs of one origin", () => {
  test("connect and talk, without a relay or any other server", async ({ browser }) => {
    const context = await browser.chromium.browser.newContext();
    await using white = await browser.open(context);
    await using black = await browser.open(context);
    const requests: string[] = [];
    context.on("request", (request) => requests.push(request.url()));
    const relay = `broadcast:${randomUUID()}`;
    const whiteKey = (await white.call("openWhole", "white", { relay, key: "white", accept: true })).publicKey;
    const blackKey = (await black.call("openWhole", "black", { relay, key: "black", accept: true })).publicKey;

    // Both at once, as when both press a button: it is one session.
    const sessions = await Promise.all([
      white.call("connect", "white", blackKey),
      black.call("connect", "black", whiteKey),
    ]);
    expect(sessions).toEqual([
      { remote: blackKey, protection: "dtls" },
      { remote: whiteKey, protection: "dtls" },
    ]);
    await white.call("say", "white", blackKey, "e2 e4");
    expect((await black.call("untilSaid", "black", "e2 e4")).from).toBe(whiteKey);
    await black.call("say", "black", whiteKey, "e7 e5");
    await white.call("untilSaid", "white", "e7 e5");
    expect((await white.call("leftovers")).connections).toBe(1);

    expect(requests).toEqual([]);

    await black.call("closeWhole", "black");
    expect(await white.call("untilEnded", "white", blackKey)).toMatchObject({ cause: "closed-by-peer" });
    await context.close();
  });

  test("have one key unless they name their own, and are then told that they cannot call each other", async ({
    browser,
  }) => {
    const context = await browser.chromium.browser.newContext();
    await using white = await browser.open(context);
    await using black = await browser.open(context);
    const relay = `broadcast:${randomUUID()}`;
    const { publicKey } = await white.call("openWhole", "white", { relay });
    expect((await black.call("openWhole", "black", { relay })).publicKey).toBe(publicKey);
    await expect(white.call("connect", "white", publicKey)).rejects.toMatchObject({ code: "equal-keys" });
    await context.close();
  });
});
