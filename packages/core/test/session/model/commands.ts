/** What can happen to two keys: each command is one thing, at one time. */

import fc from "fast-check";
import type { Process, ProcessOptions } from "./process.ts";
import type { World } from "./world.ts";

/** What the generator has to know, so that it makes no commands that do nothing: which slots run. */
export interface Outline {
  readonly running: boolean[];
}

type Command = fc.AsyncCommand<Outline, World>;

function command(text: string, run: (world: World) => unknown): Command {
  return {
    check: () => true,
    async run(_, world) {
      run(world);
      await world.clock.advance(0);
    },
    toString: () => text,
  };
}

// Small numbers are not more interesting than others here: most of what happens takes its time.
const even = (least: number, most: number): fc.Arbitrary<number> => fc.noBias(fc.integer({ min: least, max: most }));
const slot = even(0, 3);
const chance = (most: number): fc.Arbitrary<number> => even(0, 100).map((n) => (n * most) / 100);
/** Within one exchange, a reconnection, or what gives up. */
const durationMs = fc.oneof(even(0, 40), even(0, 1_000), even(1_000, 10_000), even(10_000, 90_000));

export const processOptions: fc.Arbitrary<ProcessOptions> = fc.record({
  accepts: fc.constantFrom("yes", "yes", "yes", "yes", "yes", "yes", "no", "tell"),
  canRestart: fc.boolean(),
  canRollBack: fc.boolean(),
});

/** A command at one of the slots that run, or that do not; which one shows when it is run. */
function somewhere(
  isRunning: boolean,
  text: string,
  run: (world: World, at: number) => unknown,
  after = isRunning,
): fc.Arbitrary<Command> {
  const fitting = ({ running }: Outline): number[] => [0, 1, 2, 3].filter((at) => running[at] === isRunning);
  return slot.map((choice) => {
    let chosen: number | undefined;
    return {
      check: (outline) => fitting(outline).length > 0,
      async run(outline, world) {
        const slots = fitting(outline);
        chosen = slots[choice % slots.length] as number;
        outline.running[chosen] = after;
        await run(world, chosen);
        await world.clock.advance(0);
      },
      toString: () => `${text} ${chosen}`,
    };
  });
}

const start = processOptions.chain((options) =>
  somewhere(false, `start ${JSON.stringify(options)}`, (world, at) => world.start(at, options), true),
);

/** Something about a process that runs. */
function about(name: string, run: (process: Process, world: World) => unknown, ends = false): fc.Arbitrary<Command> {
  return somewhere(
    true,
    name,
    (world, at) => {
      void run(world.slots[at] as Process, world);
    },
    !ends,
  );
}

function anyConnection(
  name: string,
  run: (connection: Process["agent"]["connections"][number]) => void,
): fc.Arbitrary<Command> {
  return about(name, ({ agent }) => {
    const open = agent.connections.filter(({ closed }) => !closed);
    const last = open.at(-1);
    if (last !== undefined) run(last);
  });
}

function anySession(
  name: string,
  run: (session: Process["talks"][number]["session"]) => unknown,
): fc.Arbitrary<Command> {
  return about(name, ({ talks }) => {
    const last = talks.findLast(({ session }) => session.state !== "closed");
    if (last !== undefined) run(last.session);
  });
}

const faults = fc
  .record({
    loss: chance(0.6),
    duplication: chance(0.5),
    replay: chance(0.5),
    reflection: chance(0.2),
    corruption: chance(0.1),
    failure: chance(0.3),
    cut: fc.oneof(fc.constant(0), chance(0.1)),
    delayMs: even(0, 3_000).map((most) => [0, most] as const),
  })
  .map((chosen) => command(`faults ${JSON.stringify(chosen)}`, ({ wire }) => wire.inject(chosen)));

function attack(name: "replay" | "reflect" | "forge"): fc.Arbitrary<Command> {
  return fc
    .array(fc.nat(4_095), { minLength: 1, maxLength: 8 })
    .map((indices) => command(`${name} ${indices}`, ({ wire }) => indices.map((index) => wire[name](index))));
}

function lasting(name: string, begin: (world: World) => void, end: (world: World) => void): fc.Arbitrary<Command> {
  return durationMs.map((ms) => ({
    check: () => true,
    async run(_, world) {
      begin(world);
      await world.clock.advance(ms);
      end(world);
      await world.clock.advance(0);
    },
    toString: () => `${name} ${ms}`,
  }));
}

const wait = lasting(
  "wait",
  () => {},
  () => {},
);

const offline = durationMs.chain((ms) =>
  somewhere(true, `offline for ${ms}:`, async ({ slots, clock }, at) => {
    slots[at]?.agent.setUp(false);
    await clock.advance(ms);
    slots[at]?.agent.setUp(true);
  }),
);

const weighted: readonly (readonly [number, fc.Arbitrary<Command>])[] = [
  [10, wait],
  [2, start],
  [7, about("connect", (process) => process.connect())],
  [1, about("abort", (process) => process.abort())],
  [1, about("leave", (process) => void process.leave(), true)],
  [1, about("vanish", (process) => process.vanish(), true)],
  [
    3,
    about("say", ({ talks }) => {
      for (const talk of talks) for (let i = 0; i < 5; i++) talk.say();
    }),
  ],
  [2, offline],
  [
    1,
    lasting(
      "paths down",
      ({ paths }) => paths.setUp(false),
      ({ paths }) => paths.setUp(true),
    ),
  ],
  [2, about("network changed", (process) => process.changeNetwork())],
  [1, anyConnection("fail", (connection) => connection.fail())],
  [1, anyConnection("disconnect", (connection) => connection.disconnect())],
  [1, anyConnection("negotiate", (connection) => connection.needNegotiation())],
  [1, anySession("close", (session) => void session.close())],
  [1, anySession("restart", (session) => session.restart())],
  ...(["replay", "reflect", "forge"] as const).map((name) => [1, attack(name)] as const),
  [1, fc.constant(command("cut", ({ wire }) => wire.cut()))],
  [2, faults],
  [2, fc.constant(command("no faults", ({ wire }) => wire.inject({})))],
];

export const commands: fc.Arbitrary<Iterable<Command>> = fc.commands(
  weighted.flatMap(([weight, arbitrary]) => Array.from({ length: weight }, () => arbitrary)),
  { maxCommands: 20, size: "max" },
);
