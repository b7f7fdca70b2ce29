/** A TURN server that refuses the credentials: browsers say so, and so does `explain()`. */

import { generatePrivateKey, openPeer } from "@wice/node";
import { createRelay } from "@wice/node/relay";
import { expect, test } from "vitest";
import { findChromium, launchChromium, needsChromium } from "../kit/chromium.ts";
import { servePage } from "../kit/page-site.ts";
import { startRefusingTurn } from "../kit/refusing-turn.ts";
import { openTestPage } from "../kit/test-page.ts";
import type { TurnFunctions } from "./turn-functions.ts";

test("a page is told that the TURN server has refused its credentials", async (context) => {
  const path = findChromium();
  if (path === undefined) return context.skip(needsChromium);
  await using chromium = await launchChromium(path);
  await using site = await servePage({ entry: new URL("./page/turn-main.ts", import.meta.url) });
  await using turn = await startRefusingTurn();
  await using relay = await createRelay();
  const privateKey = generatePrivateKey();
  const { close } = await openPeer({ relay: relay.url, privateKey, accept: () => true });
  try {
    await using page = await openTestPage<TurnFunctions>(await chromium.browser.newContext(), site.url());
    const to = privateKey.publicKey.toString();
    const verdict = await page.call("untilVerdict", {
      ...{ relay: relay.url, to, turn: turn.url },
      code: "turn-refused",
    });
    expect(verdict).toEqual({
      code: "turn-refused",
      text: `the TURN server ${turn.url} refused the credentials (401)`,
      next: "give it valid credentials",
    });
    expect(turn.refused).toBeGreaterThan(0);
  } finally {
    await close();
  }
});
