import fc from "fast-check";
import { expect, test } from "vitest";
import { commands, type Outline, processOptions } from "./commands.ts";
import { broken, overhear } from "./manners.ts";
import {
  connectedTalks,
  createWorld,
  disagreements,
  garbles,
  isWaiting,
  keys,
  lost,
  unanswered,
  type World,
} from "./world.ts";

// The same in every run, so that a red one is of the change that it is for; others are tried on demand.
const seed = Number(process.env.WICE_SEED ?? 7);
const total = Number(process.env.WICE_SCHEDULES ?? 0);
/** Without a number, as many as fit. */
const patienceMs = 45_000;
/** What is under way has come after so long. */
const calmMs = 20_000;
const attacks = 30;
/** Of bad weather, each with an end from which the next begins. */
const rounds = 3;
/** How long it may take, once nothing goes wrong any more, until all who call are connected. */
const callBoundMs = 30_000;
/** And until sessions that were lost are there again, or over. */
const boundMs = 90_000;

interface Sums {
  schedules: number;
  envelopes: number;
  sessions: number;
  slowestCallMs: number;
  slowestMs: number;
}

async function heal({ clock, wire, paths, slots }: World): Promise<void> {
  wire.inject({});
  paths.setUp(true);
  for (const process of slots) if (process?.state === "running") process.agent.setUp(true);
  await clock.advance(0);
}

async function settle(world: World, sums: Sums): Promise<void> {
  const { clock } = world;
  const startMs = clock.now();
  for (;;) {
    const calls = unanswered(world);
    const wrong = [...calls, ...lost(world), ...(await disagreements(world))];
    const tookMs = clock.now() - startMs;
    if (calls.length > 0) sums.slowestCallMs = Math.max(sums.slowestCallMs, tookMs);
    sums.slowestMs = Math.max(sums.slowestMs, tookMs);
    if (wrong.length === 0) return;
    if (tookMs >= (calls.length > 0 ? callBoundMs : boundMs))
      throw new Error(`after ${tookMs} ms: ${wrong.join("; ")}`);
  }
}

/** Whatever is sent again, reflected or forged now changes nothing. Then nothing is said any more, and nothing is left over. */
async function attack(world: World): Promise<void> {
  const { clock, wire, paths, random, slots } = world;
  await clock.advance(calmMs);
  const before = connectedTalks(world).map(({ statuses }) => ({ statuses, count: statuses.length }));
  for (let i = 0; i < attacks; i++) {
    const index = random.integer(0, Math.max(0, wire.recorded - 1));
    wire[(["replay", "reflect", "forge"] as const)[i % 3] as "replay"](index);
    await clock.advance(random.integer(0, 500));
  }
  await clock.advance(calmMs);
  const changed = before.flatMap(({ statuses, count }) => statuses.slice(count));
  const wrong = [...(changed.length > 0 ? [`sessions told ${changed}`] : []), ...(await disagreements(world))];
  if (wrong.length > 0) throw new Error(`after an attack: ${wrong.join("; ")}`);

  if (slots.some((process) => process?.state === "running" && isWaiting(process))) return;
  await clock.advance(calmMs);
  const { envelopes } = wire;
  await negotiate(world);
  await clock.advance(600_000);
  const connections = connectedTalks(world).length;
  if (wire.envelopes > envelopes) throw new Error(`${wire.envelopes - envelopes} envelopes in ten idle minutes`);
  if (paths.open > connections) throw new Error(`${paths.open} connections for ${connections} ends of sessions`);
}

/** Whoever is connected negotiates anew, one after the other, and the backend has no part in it. */
async function negotiate({ clock, slots, wire }: World): Promise<void> {
  const { envelopes } = wire;
  const open = slots.flatMap((process) =>
    process?.state === "running" ? process.agent.connections.filter(({ closed }) => !closed) : [],
  );
  for (const connection of open) {
    const before = connection.calls.length;
    connection.needNegotiation();
    // Both at once would be for the polite one to take back, which not every agent can.
    await clock.advance(1_000);
    if (connection.calls.length === before) throw new Error("a connection was not negotiated anew");
  }
  if (wire.envelopes > envelopes) throw new Error(`${wire.envelopes - envelopes} envelopes for what goes in-band`);
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
  const sums: Sums = { schedules: 0, envelopes: 0, sessions: 0, slowestCallMs: 0, slowestMs: 0 };
  const startedMs = performance.now();
  const property = fc.asyncProperty(
    fc.nat(),
    processOptions,
    processOptions,
    fc.array(commands, { minLength: rounds, maxLength: rounds }),
    async (chance, one, other, schedules) => {
      const world = createWorld(chance);
      world.start(0, one);
      world.start(2, other);
      const model: Outline = { running: [true, false, true, false] };
      for (const schedule of schedules) {
        await fc.asyncModelRun(() => ({ model, real: world }), schedule);
        await heal(world);
        await settle(world, sums);
        const garbled = garbles(world);
        if (garbled.length > 0) throw new Error(garbled.join("\n"));
      }
      await attack(world);
      const rude = broken(await overhear(keys, world.wire.published), world);
      if (rude.length > 0) throw new Error([...new Set(rude)].join("\n"));
      await closeAll(world);
      sums.schedules += 1;
      sums.envelopes += world.wire.envelopes;
      sums.sessions += world.processes.reduce((sum, { talks }) => sum + talks.length, 0);
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
