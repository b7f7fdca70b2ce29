/** How sessions end in order, and that nothing is left of them, whenever that is. */

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import { orderedKeys } from "../kit/ordered-keys.ts";
import type { Counts, SessionProcess } from "../kit/session-functions.ts";
import { exchange, type KeyedSide, meet, openPeers } from "../kit/session-meeting.ts";
import { startSessionProcess } from "../kit/session-process.ts";
import { type SessionScene, test } from "./session-test.ts";

const kinds = ["page", "Node process"] as const;

/** Before, while, and after a connection is made, which takes some 100 ms. */
const moments = [0, 3, 10, 20, 40, 60, 80, 120, 160, 240, 1_000];

function openProcess(kind: (typeof kinds)[number], { open, browsers }: SessionScene): Promise<SessionProcess> {
  return kind === "page" ? open(browsers[0]) : startSessionProcess();
}

async function openPair(ender: SessionProcess, other: SessionProcess, { relay }: SessionScene) {
  const keys = orderedKeys();
  const sides: readonly [KeyedSide, KeyedSide] = [
    { process: ender, key: keys[0] },
    { process: other, key: keys[1] },
  ];
  await openPeers(sides, { relay: relay.url });
  return sides;
}

/** What the process has going on, but for what it has done. */
async function going(process: SessionProcess): Promise<Omit<Counts, "envelopes" | "connectionsMade">> {
  const { connectionsOpen, timers, listeners } = await process.call("counts");
  return { connectionsOpen, timers, listeners };
}

async function untilGoing(process: SessionProcess, what: Awaited<ReturnType<typeof going>>): Promise<void> {
  await expect.poll(() => going(process), { timeout: 15_000, interval: 100 }).toEqual(what);
}

describe("the orderly end of a session", { timeout: 60_000 }, () => {
  test.for(kinds.flatMap((ender) => kinds.map((other) => ({ ender, other }))))(
    "by a $ender is seen at once by a $other",
    async ({ ender, other }, { sessions }) => {
      await using one = await openProcess(ender, sessions);
      await using two = await openProcess(other, sessions);
      const meeting = await meet(await openPair(one, two, sessions), "the controlling peer");
      await exchange(meeting);
      const closedAt = Date.now();
      await one.call("close", meeting[0].session);
      const tookMs = Date.now() - closedAt;
      const { at, cause, reason } = await two.call("untilClosed", meeting[1].session);
      console.log(`a ${ender} closes a session: a ${other} sees it after ${at - closedAt} ms; close took ${tookMs} ms`);
      expect({ cause, reason }).toEqual({ cause: "closed-by-peer", reason: "done" });
      expect(at - closedAt).toBeLessThan(2_000);
      const { changes } = await two.call("report", meeting[1].session);
      expect(changes.map(({ type }) => type)).toEqual(["closed"]);
    },
  );
});

describe("leaves nothing behind", { timeout: 120_000 }, () => {
  test.for(kinds)("in a %s: a call that is given up, whenever that is", async (kind, { sessions }) => {
    await using caller = await openProcess(kind, sessions);
    await using called = await startSessionProcess();
    const [, other] = await openPair(caller, called, sessions);
    const before = await going(caller);
    const outcomes: string[] = [];
    for (const moment of moments) outcomes.push(await caller.call("connectBriefly", other.key.publicKey, moment));
    // Whoever goes on waiting gets there.
    const startedAt = Date.now();
    expect(await caller.call("connectBriefly", other.key.publicKey, 90_000)).toBe("connected");
    const lastMs = Date.now() - startedAt;
    await untilGoing(caller, before);
    const { connectionsMade } = await caller.call("counts");
    console.log(
      `${kind}: given up after ${moments.join(", ")} ms: ${outcomes.join(", ")}; ${connectionsMade} connections; the last call took ${lastMs} ms`,
    );
    expect(outcomes).toContain("aborted");
    expect(connectionsMade).toBeGreaterThan(1);
    await expect.poll(() => going(called), { timeout: 45_000 }).toMatchObject({ connectionsOpen: 0 });
  });

  test.for(kinds)("in a %s: a peer that is closed, whenever that is", async (kind, { sessions }) => {
    await using caller = await openProcess(kind, sessions);
    await using called = await startSessionProcess();
    const [before, calledBefore] = await Promise.all([going(caller), going(called)]);
    for (const moment of moments) {
      const [, other] = await openPair(caller, called, sessions);
      const calling = caller.call("connect", other.key.publicKey).then(
        () => "connected",
        ({ code }: { readonly code?: string }) => code,
      );
      await sleep(moment);
      await caller.call("closePeer");
      await caller.call("closeBackend");
      expect(await calling).toBeOneOf(["connected", "closed"]);
      await called.call("closePeer");
      await called.call("closeBackend");
    }
    await untilGoing(caller, before);
    const { connectionsMade } = await caller.call("counts");
    console.log(
      `${kind}: closed after ${moments.join(", ")} ms: ${connectionsMade} connections were made, none is left`,
    );
    expect(connectionsMade).toBeGreaterThan(1);
    await untilGoing(called, calledBefore);
  });
});
