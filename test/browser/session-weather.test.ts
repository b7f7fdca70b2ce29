/** Sessions of pages that last: beside one of the same key, without the other side, and through the sleep of a machine. */

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import { orderedKeys } from "../kit/ordered-keys.ts";
import { processTree } from "../kit/process-tree.ts";
import type { SessionProcess } from "../kit/session-functions.ts";
import { exchange, type KeyedSide, meet, openPeers, printEnvelopes } from "../kit/session-meeting.ts";
import { startSessionProcess } from "../kit/session-process.ts";
import { describeChanges, expectRecovered, sleepBeside, sleepMs } from "../kit/session-sleep.ts";
import { type SessionScene, test } from "./session-test.ts";

const talkEveryMs = 200;

/** Most of it is waiting, which one can do beside another. */
describe.concurrent("sessions of pages", { timeout: 150_000 }, () => {
  test.for(["controlling", "controlled"] as const)(
    "with one key and a third peer stay as they are for a minute, the two $0",
    async (role, { sessions }) => {
      const [smaller, larger] = orderedKeys();
      const [shared, own] = role === "controlling" ? [smaller, larger] : [larger, smaller];
      await using one = await sessions.open(sessions.browsers[0]);
      await using two = await sessions.open(sessions.browsers[1]);
      await using third = await startSessionProcess();
      const sides = [one, two, third].map((process): KeyedSide => ({ process, key: process === third ? own : shared }));
      await openPeers(sides, { relay: sessions.relay.url });
      const [first, second, ...thirds] = await Promise.all([
        one.call("connect", own.publicKey),
        two.call("connect", own.publicKey),
        third.call("nextIncoming"),
        third.call("nextIncoming"),
      ]);
      const ends = [
        { process: one, session: first, tag: "one" },
        { process: two, session: second, tag: "two" },
        ...thirds.map((session) => ({ process: third, session, tag: `third, ${session}` })),
      ];
      await Promise.all(ends.map(({ process, session, tag }) => process.call("talk", session, tag, talkEveryMs)));

      const count = async (seconds: number) => {
        const counts = await Promise.all(sides.map(({ process }) => process.call("counts")));
        await printEnvelopes(`two ${role} pages of one key and a third peer, after ${seconds} s`, sides);
        return counts.map(({ envelopes, connectionsMade }) => ({ envelopes, connectionsMade }));
      };
      await sleep(10_000);
      const early = await count(10);
      await sleep(50_000);
      expect(await count(60)).toEqual(early);

      const said = await Promise.all(ends.map(({ process, session }) => process.call("hush", session)));
      const reports = await Promise.all(ends.map(({ process, session }) => process.call("report", session)));
      expect(reports.map(({ state, changes }) => ({ state, changes }))).toEqual(
        ends.map(() => ({ state: "connected", changes: [] })),
      );
      // Everything that was said came, in order, where it was meant to.
      const heard = await Promise.all(
        ends.map(async ({ process, tag }, index) => {
          const last = `${tag} ${said[index]}`;
          const others = process === third ? ends.slice(0, 2) : ends.slice(2);
          await Promise.any(others.map((other) => other.process.call("untilHeard", other.session, last)));
          const all = await Promise.all(others.map((other) => other.process.call("heard", other.session)));
          return all.filter((texts) => texts.includes(last)).flat();
        }),
      );
      expect(heard).toEqual(
        ends.map(({ tag }, index) => Array.from({ length: said[index] ?? 0 }, (_, n) => `${tag} ${n + 1}`)),
      );
      expect(Math.min(...said)).toBeGreaterThan(30_000 / talkEveryMs);
    },
  );

  test.for(["page", "Node process"] as const)(
    "whose other side vanishes end after a while, seen by a $0",
    async (kind, { sessions }) => {
      const reconnectIncomingMs = 5_000;
      await using browser = await sessions.launch();
      await using vanishing = await sessions.open(browser);
      await using survivor = await openSurvivor(kind, sessions);
      const keys = orderedKeys();
      const sides: readonly [KeyedSide, KeyedSide] = [
        { process: vanishing, key: keys[0] },
        { process: survivor, key: keys[1] },
      ];
      await openPeers(sides, { relay: sessions.relay.url, reconnectIncomingMs });
      const meeting = await meet(sides, "the controlling peer");
      await exchange(meeting);
      const { session } = meeting[1];

      const killedAt = Date.now();
      await processTree(browser.pid).kill();
      const lost = await survivor.call("untilChange", session, "reconnecting");
      const end = await survivor.call("untilClosed", session);
      const waitedMs = end.at - lost.at;
      console.log(
        `a page vanishes: a ${kind} sees it after ${lost.at - killedAt} ms, and gives up ${waitedMs} ms later`,
      );
      expect(end.cause).toBe("lost");
      expect(waitedMs).toBeGreaterThan(reconnectIncomingMs - 100);
      expect(waitedMs).toBeLessThan(reconnectIncomingMs + 5_000);
      await expect.poll(() => survivor.call("counts"), { timeout: 10_000 }).toMatchObject({ connectionsOpen: 0 });
    },
  );

  test.for(["page", "Node process"] as const)(
    "go on when the machine has slept, and what a $0 has sent meanwhile arrives",
    async (kind, { sessions }) => {
      await using browser = await sessions.launch();
      await using sleeper = await sessions.open(browser);
      await using awake = await openSurvivor(kind, sessions);
      const keys = orderedKeys();
      const sides: readonly [KeyedSide, KeyedSide] = [
        { process: sleeper, key: keys[0] },
        { process: awake, key: keys[1] },
      ];
      await openPeers(sides, { relay: sessions.relay.url });
      const meeting = await meet(sides, "the controlling peer");
      await exchange(meeting);
      const [asleep, waiting] = meeting;

      await processTree(browser.pid).stop();
      await sleepBeside(waiting, sleepMs, async (texts) => {
        await processTree(browser.pid).go();
        const wokenAt = Date.now();
        await sleeper.call("untilHeard", asleep.session, texts.at(-1) as string);
        console.log(`a page slept for ${sleepMs} ms: what a ${kind} has sent came ${Date.now() - wokenAt} ms later`);
        const heard = await sleeper.call("heard", asleep.session);
        expect(heard.slice(-texts.length)).toEqual(texts);
      });
      await exchange(meeting);
      await expectRecovered(waiting);
    },
  );

  test("go on when a tab was frozen", async ({ sessions }) => {
    await using frozen = await sessions.open(sessions.browsers[0]);
    await using awake = await startSessionProcess();
    const keys = orderedKeys();
    const sides: readonly [KeyedSide, KeyedSide] = [
      { process: frozen, key: keys[0] },
      { process: awake, key: keys[1] },
    ];
    await openPeers(sides, { relay: sessions.relay.url });
    const meeting = await meet(sides, "the controlling peer");
    await exchange(meeting);

    const debug = await frozen.debug();
    await debug.send("Page.enable");
    await debug.send("Page.setWebLifecycleState", { state: "frozen" });
    await sleepBeside(meeting[1], sleepMs, async (texts) => {
      await debug.send("Page.setWebLifecycleState", { state: "active" });
      await frozen.call("untilHeard", meeting[0].session, texts.at(-1) as string);
      const heard = await frozen.call("heard", meeting[0].session);
      expect(heard.slice(-texts.length)).toEqual(texts);
    });
    await exchange(meeting);
    const { changes } = await awake.call("report", meeting[1].session);
    console.log(`a tab was frozen for ${sleepMs} ms; the other side saw: ${describeChanges(changes)}`);
  });
});

function openSurvivor(kind: "page" | "Node process", { open, browsers }: SessionScene): Promise<SessionProcess> {
  return kind === "page" ? open(browsers[0]) : startSessionProcess();
}
