/** A page and a Node process, in both roles, with either WebRTC that Node can have. */

import { describe, expect } from "vitest";
import { orderedKeys } from "../kit/ordered-keys.ts";
import { exchange, type KeyedSide, meet, openPeers, printEnvelopes, who } from "../kit/session-meeting.ts";
import { startSessionProcess } from "../kit/session-process.ts";
import { test } from "./session-test.ts";

const cases = (["node-datachannel", "werift"] as const).flatMap((webrtc) =>
  (["page", "Node process"] as const).flatMap((controlling) => who.map((caller) => ({ webrtc, controlling, caller }))),
);

describe("a page and a Node process", () => {
  test.for(cases)(
    "talk directly: $webrtc, the $controlling controls, $caller calls",
    async ({ webrtc, controlling, caller }, { sessions }) => {
      await using page = await sessions.open(sessions.browsers[0]);
      await using node = await startSessionProcess();
      const [smaller, larger] = orderedKeys();
      const sides: readonly [KeyedSide, KeyedSide] =
        controlling === "page"
          ? [
              { process: page, key: smaller },
              { process: node, key: larger },
            ]
          : [
              { process: node, key: smaller },
              { process: page, key: larger },
            ];
      await openPeers(sides, { relay: sessions.relay.url, webrtc });
      const meeting = await meet(sides, caller);
      await exchange(meeting);
      await printEnvelopes(`Chromium - Node (${webrtc}), the ${controlling} controls, ${caller} calls`, meeting);
      const reports = await Promise.all(meeting.map(({ process, session }) => process.call("report", session)));
      expect(reports.map(({ role, state, changes }) => ({ role, state, changes }))).toEqual([
        { role: "controlling", state: "connected", changes: [] },
        { role: "controlled", state: "connected", changes: [] },
      ]);
    },
  );
});
