/** Two pages in two browser processes, with a relay as a third. */

import { describe, expect } from "vitest";
import { orderedKeys } from "../kit/ordered-keys.ts";
import { exchange, type KeyedSide, meet, openPeers, printEnvelopes, who } from "../kit/session-meeting.ts";
import { test } from "./session-test.ts";

/** From no contact at all to both having heard the other. */
const mostEnvelopes = 6;

describe("two pages in two browsers", () => {
  test.for(who)("talk directly when %s calls, after a handful of envelopes", async (caller, { sessions }) => {
    const { relay, browsers, open } = sessions;
    const keys = orderedKeys();
    await using one = await open(browsers[0]);
    await using other = await open(browsers[1]);
    const sides: readonly [KeyedSide, KeyedSide] = [
      { process: one, key: keys[0] },
      { process: other, key: keys[1] },
    ];
    await openPeers(sides, { relay: relay.url });
    const meeting = await meet(sides, caller);
    await exchange(meeting);
    const sum = await printEnvelopes(`Chromium - Chromium, ${caller} calls`, meeting);
    // Each has to say something, or nothing was counted.
    expect(sum).toBeGreaterThanOrEqual(2);
    expect(sum).toBeLessThanOrEqual(mostEnvelopes);
    const reports = await Promise.all(meeting.map(({ process, session }) => process.call("report", session)));
    expect(reports.map(({ role, state, changes }) => ({ role, state, changes }))).toEqual([
      { role: "controlling", state: "connected", changes: [] },
      { role: "controlled", state: "connected", changes: [] },
    ]);
  });
});
