import fc from "fast-check";
import { expect, test } from "vitest";
import { commands, type Outline, processOptions } from "./commands.ts";
import { createWorld, disagreements, garbles, missing, type World } from "./world.ts";

const seed = Number(process.env.WICE_SEED ?? Date.now() % 1_000_000_000);
const total = Number(process.env.WICE_SCHEDULES ?? 0);
/** Without a number, as many as fit. */
const patienceMs = 45_000;
/** How long it may take, once nothing goes wrong any more, until all who want to are connected. */
const boundMs = 90_000;

interface Sums {
  schedules: number;
  envelopes: number;
  sessions: number;
  slowestMs: number;
}

async function heal({ clock, wire, paths, slots }: World): Promise<void> {
  wire.inject({});
  paths.setUp(true);
  for (const process of slots) if (process?.state === "running") process.agent.setUp(true);
  await clock.advance(0);
}

/** Returns how long it took. */
async function settle(world: World): Promise<number> {
  const { clock } = world;
  const startMs = clock.now();
  for (;;) {
    const wrong = [...missing(world), ...(await disagreements(world))];
    const tookMs = clock.now() - startMs;
    if (wrong.length === 0) return tookMs;
    if (tookMs >= boundMs) throw new Error(`after ${boundMs} ms: ${wrong.join("; ")}`);
  }
}

async function closeAll({ clock, paths, processes }: World): Promise<void> {
  await clock.runUntil(Promise.all(processes.map((process) => process.leave())));
  const { open } = paths;
  await clock.advance(60_000);
  if (open > 0 || clock.pending > 0) throw new Error(`left: ${open} connections, ${clock.pending} timers`);
}

test(`two keys find each other through any weather (seed ${seed}: WICE_SEED repeats it)`, {
  timeout: 3_600_000,
}, async () => {
  const sums: Sums = { schedules: 0, envelopes: 0, sessions: 0, slowestMs: 0 };
  const startedMs = performance.now();
  const property = fc.asyncProperty(
    fc.nat(),
    processOptions,
    processOptions,
    commands,
    async (chance, one, other, schedule) => {
      const world = createWorld(chance);
      world.start(0, one);
      world.start(2, other);
      const model: Outline = { running: [true, false, true, false] };
      await fc.asyncModelRun(() => ({ model, real: world }), schedule);
      await heal(world);
      const tookMs = await settle(world);
      const garbled = garbles(world);
      if (garbled.length > 0) throw new Error(garbled.join("\n"));
      await closeAll(world);
      sums.schedules += 1;
      sums.envelopes += world.wire.envelopes;
      sums.sessions += world.processes.reduce((sum, { talks }) => sum + talks.length, 0);
      sums.slowestMs = Math.max(sums.slowestMs, tookMs);
    },
  );
  const most = total > 0 ? { numRuns: total } : { numRuns: 1_000_000, interruptAfterTimeLimit: patienceMs };
  try {
    await fc.assert(property, { seed, ...most, endOnFailure: process.env.WICE_SHRINK === undefined });
  } finally {
    console.log(JSON.stringify({ seed, ...sums, seconds: Math.round((performance.now() - startedMs) / 100) / 10 }));
  }
  expect(sums.schedules).toBeGreaterThan(100);
});
