/** What can happen to two keys: each command is one thing, at one time. */

import fc from "fast-check";
import type { Process, ProcessOptions } from "./process.ts";
import type { World } from "./world.ts";

/** What the generator has to know, so that it makes no commands that do nothing: which slots run. */
export interface Outline {
  readonly running: boolean[];
}

type Command = fc.AsyncCommand<Outline, World>;

function command(
  text: string,
  run: (world: World) => unknown,
  check: (outline: Outline) => boolean = () => true,
  change: (outline: Outline) => void = () => {},
): Command {
  return {
    check,
    async run(outline, world) {
      change(outline);
      run(world);
      await world.clock.advance(0);
    },
    toString: () => text,
  };
}

const slot = fc.nat(3);
const chance = (most: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 100 }).map((n) => (n * most) / 100);

export const processOptions: fc.Arbitrary<ProcessOptions> = fc.record({
  accepts: fc.constantFrom("yes", "yes", "yes", "no", "tell"),
  canRestart: fc.boolean(),
  canRollBack: fc.boolean(),
});

const start = fc.tuple(slot, processOptions).map(([at, options]) =>
  command(
    `start ${at} ${JSON.stringify(options)}`,
    (world) => world.start(at, options),
    ({ running }) => running[at] === false,
    ({ running }) => {
      running[at] = true;
    },
  ),
);

/** Something about a process that runs. */
function about(name: string, run: (process: Process, world: World) => unknown, ends = false): fc.Arbitrary<Command> {
  return slot.map((at) =>
    command(
      `${name} ${at}`,
      (world) => run(world.slots[at] as Process, world),
      ({ running }) => running[at] === true,
      ({ running }) => {
        if (ends) running[at] = false;
      },
    ),
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
    delayMs: fc.nat(3_000).map((most) => [0, most] as const),
  })
  .map((chosen) => command(`faults ${JSON.stringify(chosen)}`, ({ wire }) => wire.inject(chosen)));

function attack(name: "replay" | "reflect" | "forge"): fc.Arbitrary<Command> {
  return fc
    .array(fc.nat(4_095), { minLength: 1, maxLength: 8 })
    .map((indices) => command(`${name} ${indices}`, ({ wire }) => indices.map((index) => wire[name](index))));
}

const wait = fc.oneof(fc.nat(40), fc.nat(1_000), fc.nat(10_000), fc.nat(90_000)).map(
  (ms): Command => ({
    check: () => true,
    run: (_, { clock }) => clock.advance(ms),
    toString: () => `wait ${ms}`,
  }),
);

export const commands: fc.Arbitrary<Iterable<Command>> = fc.commands(
  [
    ...[start, start, start, wait, wait, wait, faults],
    about("connect", (process) => process.connect()),
    about("connect", (process) => process.connect()),
    about("connect", (process) => process.connect()),
    about("abort", (process) => process.abort()),
    about("leave", (process) => void process.leave(), true),
    about("vanish", (process) => process.vanish(), true),
    about("say", ({ talks }) => {
      for (const talk of talks) for (let i = 0; i < 5; i++) talk.say();
    }),
    about("network of process down", ({ agent }) => agent.setUp(false)),
    about("network of process up", ({ agent }) => agent.setUp(true)),
    about("network changed", (process) => process.changeNetwork()),
    anyConnection("fail", (connection) => connection.fail()),
    anyConnection("disconnect", (connection) => connection.disconnect()),
    anyConnection("negotiate", (connection) => connection.needNegotiation()),
    anySession("close", (session) => void session.close()),
    anySession("restart", (session) => session.restart()),
    ...(["replay", "reflect", "forge"] as const).map(attack),
    fc.constant(command("cut", ({ wire }) => wire.cut())),
    fc.boolean().map((up) => command(up ? "paths up" : "paths down", ({ paths }) => paths.setUp(up))),
    fc.constant(command("no faults", ({ wire }) => wire.inject({}))),
  ],
  { maxCommands: 40, size: "max" },
);
