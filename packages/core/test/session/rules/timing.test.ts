/** DESIGN 6, "Timing". */

import { describe, expect, test } from "vitest";
import type { Said } from "../support/overheard.ts";
import { createStage, everybody, makeKeys, type Stage } from "../support/stage.ts";

const keys = makeKeys();

const gaps = (said: readonly Said[]): number[] =>
  said.slice(1).map(({ atMs }, index) => atMs - (said[index] as Said).atMs);

describe("the first message", () => {
  test("leaves with the first host candidates", async () => {
    const stage = createStage(keys);
    const caller = stage.start("controlling", { agent: { gatherMs: [3, 4, 500] } });
    caller.call(stage.start("controlled")).catch(() => {});
    await stage.clock.advance(18);
    expect(stage.saidBy(caller).map(({ description }) => description)).toMatchObject([
      { kind: "offer", epoch: 1, candidates: [{ type: "host" }, { type: "host" }] },
    ]);
    expect(stage.wire.said[0]?.atMs).toBeLessThan(12);
    await stage.end();
  });

  test("leaves without candidates after 20 ms at the latest", async () => {
    const stage = createStage(keys);
    const caller = stage.start("controlling", { agent: { gatherMs: [900] } });
    caller.call(stage.start("controlled")).catch(() => {});
    await stage.clock.advance(100);
    // The agent takes a millisecond for its offer.
    expect(stage.saidBy(caller)).toMatchObject([{ atMs: 21, description: { kind: "offer", candidates: [] } }]);
    await stage.end();
  });

  test("of a peer that waits for the other's choice of an agent leaves at once", async () => {
    const stage = createStage(keys);
    const caller = stage.start("controlled", {
      agents: (agent) => [agent, stage.paths.agent({ name: "datagram" })],
      agent: { gatherMs: [900] },
    });
    caller.call(stage.start("controlling")).catch(() => {});
    await stage.clock.advance(1);
    expect(stage.saidBy(caller)).toMatchObject([{ atMs: 0, description: { kind: "hello" } }]);
    await stage.end();
  });
});

test("later candidates that come within a few milliseconds of each other leave together", async () => {
  const stage = createStage(keys);
  const caller = stage.start("controlling", { agent: { gatherMs: [2, 100, 100.5, 101, 101.5, 200] } });
  caller.call(stage.start("controlled")).catch(() => {});
  await stage.clock.advance(400);
  expect(stage.saidBy(caller).map(({ description }) => description.candidates.length)).toEqual([1, 5, 6]);
  expect(stage.saidBy(caller)[1]?.atMs).toBeLessThan(112);
  await stage.end();
});

describe("messages to a peer that is not there", () => {
  /** All that a caller says in a time, while nobody hears it. */
  async function call(stage: Stage, ms: number): Promise<readonly Said[]> {
    const caller = stage.start("controlling");
    caller.call(stage.start("controlled")).catch(() => {});
    await stage.clock.advance(ms);
    return stage.saidBy(caller);
  }

  test("are sent again with backoff", async () => {
    const stage = createStage(keys);
    const [first = 0, second = 0, third = 0] = gaps(await call(stage, 60_000));
    expect(first).toBeGreaterThan(300);
    expect(first).toBeLessThan(700);
    expect(second).toBeGreaterThan(1.3 * first);
    expect(third).toBeGreaterThan(1.3 * second);
    await stage.end();
  });

  test("are sent again with jitter: two callers do not keep step", async () => {
    const times: number[][] = [];
    for (const seed of [1, 2]) {
      const stage = createStage(keys, seed);
      times.push((await call(stage, 20_000)).map(({ atMs }) => atMs));
      await stage.end();
    }
    const [one = [], two = []] = times;
    expect(one.slice(1).filter((atMs) => two.includes(atMs))).toEqual([]);
  });

  test("are sent again every 4 s at the most seldom while a connect waits", async () => {
    const stage = createStage(keys);
    const late = gaps(await call(stage, 600_000)).slice(5);
    expect(Math.max(...late)).toBeLessThanOrEqual(4_000);
    expect(late.reduce((sum, gap) => sum + gap, 0) / late.length).toBeGreaterThan(2_500);
    await stage.end();
  });

  test("are sent again once a minute at the most seldom when nobody waits", async () => {
    const stage = createStage(keys);
    const [caller, called] = [stage.start("controlling", everybody), stage.start("controlled", everybody)];
    await stage.clock.runUntil(caller.call(called));
    called.vanish();
    await stage.clock.advance(20 * 60_000);
    const startMs = stage.clock.now();
    await stage.clock.advance(60 * 60_000);
    const bySession = Map.groupBy(
      stage.saidBy(caller).filter(({ atMs }) => atMs >= startMs),
      ({ description }) => description.sessionId,
    );
    const [all = []] = [...bySession.values()].toSorted((a, b) => b.length - a.length);
    expect(all.length).toBeGreaterThan(40);
    expect(Math.max(...gaps(all))).toBeLessThanOrEqual(60_000);
    expect(Math.max(...gaps(all))).toBeGreaterThan(30_000);
    await stage.end();
  });
});
