/** Defects of signaling and of agents' doings that were mended once: named for what a user saw. */

import { WiceError } from "@wice/core";
import { describe, expect, test } from "vitest";
import { maxAttempts } from "../../../src/session/peering-state.ts";
import { createMachine, describes, doings, echoOf, instances, meetCaller, sessionId } from "../support/machine.ts";
import { createStage, everybody, makeKeys } from "../support/stage.ts";
import { changeConnections } from "../support/unruly-agent.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;

describe.each(roles)("the caller is the %s one", (role) => {
  test("offers that fail at once are tried again more and more seldom, and the peer is called all the same", async () => {
    const stage = createStage(keys);
    let isBroken = true;
    const broken = (): WiceError | undefined =>
      isBroken ? new WiceError("unsupported", "no more connections") : undefined;
    const caller = stage.start(role, { agent: { broken } });
    const called = stage.start(other[role], everybody);
    let tries = 0;
    const call = caller.call(called);
    const session = call.then((made) => made.state);
    for await (const status of counting(caller.peer.status(), stage.clock, 60_000))
      if (status.type === "peer" && status.text.startsWith("no connection can be made")) tries += 1;
    expect(tries).toBeGreaterThan(3);
    // Each attempt doubles its delay; in a minute, a new one is asked for once.
    expect(tries).toBeLessThan(40);
    isBroken = false;
    expect(await stage.clock.runUntil(session)).toBe("connected");
    await stage.end();
  });

  test("an answer that was refused in passing is given a moment later", async () => {
    const stage = createStage(keys);
    let refusals = 0;
    const fleeting = {
      agents: changeConnections((connection) => ({
        async answer(offer: Parameters<typeof connection.answer>[0]) {
          refusals += 1;
          if (refusals === 1) throw new WiceError("unavailable", "not now");
          return connection.answer(offer);
        },
      })),
    };
    const [caller, called] = [stage.start(role), stage.start(other[role], { ...everybody, ...fleeting })];
    const startMs = stage.clock.now();
    await stage.clock.runUntil(caller.call(called));
    expect(refusals).toBeGreaterThan(1);
    expect(stage.clock.now() - startMs).toBeLessThan(10_000);
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });

  test("repeats go over the relay as well when the path is dead and nobody has noticed", async () => {
    const stage = createStage(keys);
    const [caller, called] = [stage.start(role, everybody), stage.start(other[role], everybody)];
    const session = await stage.clock.runUntil(caller.call(called));
    await stage.clock.advance(1_000);
    const before = stage.wire.said.length;
    stage.paths.setUp(false);
    session.restart();
    await stage.clock.advance(3_000);
    expect(session.state).toBe("connected");
    const offers = stage
      .saidBy(caller)
      .slice(-3)
      .filter(({ description }) => description.kind === "offer");
    expect(stage.wire.said.length).toBeGreaterThan(before);
    expect(offers.length).toBeGreaterThan(0);
    await stage.end();
  });
});

test("who was told, and whose word of that was lost, falls silent after the next one", async () => {
  const stage = createStage(keys);
  const [caller, called] = [stage.start("controlling", everybody), stage.start("controlled", everybody)];
  // No path, so that all is said over the relay; every acknowledgement is lost for a while.
  stage.paths.setUp(false);
  const call = caller.call(called);
  call.catch(() => {});
  let isLossy = true;
  const heard = new Set<string>();
  stage.wire.passes = ({ from, description: { kind, epoch, candidates } }) => {
    const what = `${from} ${kind} ${epoch} ${candidates.length}`;
    const isFirst = !heard.has(what);
    heard.add(what);
    return isFirst || !isLossy;
  };
  await stage.clock.advance(4_000);
  isLossy = false;
  await stage.clock.advance(4_000);
  const before = stage.wire.said.length;
  await stage.clock.advance(6_000);
  expect(stage.wire.said.length - before).toBeLessThan(2);
  stage.paths.setUp(true);
  await stage.clock.runUntil(call);
  await stage.end();
});

test("who repeats itself, because our word of receipt was lost, is given it again, but not with each repetition", () => {
  const machine = createMachine({ role: "controlled" });
  const { ours, theirs } = meetCaller(machine);
  machine.pass(5_000);
  const again = { sessionId: theirs, kind: "offer", received: echoOf(machine, ours), answerWanted: true } as const;
  const effects = [...machine.hear(describes(again)), ...machine.pass(100)];
  expect(effects).toContainEqual(
    expect.objectContaining({
      effect: expect.objectContaining({
        type: "send",
        description: expect.objectContaining({
          received: { sessionId: theirs, kind: "offer", epoch: 1, candidates: 0 },
        }),
      }),
    }),
  );
  const flood = Array.from({ length: 100 }, () => [...machine.hear(describes(again)), ...machine.pass(10)]).flat();
  expect(doings(flood).filter((doing) => doing === "send").length).toBeLessThan(6);
});

test("what a connection says too late, after it was given up for that, is not taken for what the next one says", () => {
  const machine = createMachine({ role: "controlling" });
  machine.take({ type: "want", wanted: true });
  const id = machine.peering.attempts[0]?.id ?? "";
  expect(machine.peering.attempts[0]?.operation).toMatchObject({ type: "offer", epoch: 1 });
  machine.pass(11_000);
  const late = { sdp: "v=0\r\no=- late 0 IN IP4 0.0.0.0\r\n", ufrag: "late", pwd: "q".repeat(24) };
  expect(machine.peering.attempts[0]).toMatchObject({ connection: { number: 2 }, operation: { type: "offer" } });
  machine.tell(id, { type: "described", connection: 1, description: late });
  machine.tell(id, { type: "accepted", connection: 1 });
  machine.tell(id, { type: "refused", connection: 1, code: "closed" });
  expect(machine.peering.attempts[0]).toMatchObject({ local: { kind: "hello" }, connection: { number: 2 } });
  expect(machine.peering.attempts[0]?.operation).toMatchObject({ type: "offer" });
});

test("a slow agent's offer that comes after its time does no harm: the next one connects", async () => {
  const stage = createStage(keys);
  let made = 0;
  const slowOnce = changeConnections((connection) => {
    made += 1;
    if (made > 1) return {};
    return {
      async offer(options: { readonly restart: boolean }) {
        const description = await connection.offer(options);
        await new Promise<void>((resolve) => void stage.clock.schedule(10_104, resolve));
        return description;
      },
    };
  });
  const caller = stage.start("controlling", { agents: slowOnce });
  const called = stage.start("controlled", everybody);
  const session = await stage.clock.runUntil(caller.call(called));
  expect(session.state).toBe("connected");
  await stage.clock.advance(30_000);
  expect(session.state).toBe("connected");
  expect([caller.agent.open, called.agent.open]).toEqual([1, 1]);
  expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
});

test("our own calls count among the attempts that a peer can make us have at a time", () => {
  const machine = createMachine({ role: "controlled" });
  for (let i = 1; i <= 4 * maxAttempts; i++) {
    machine.hear(describes({ sessionId: sessionId(i), kind: "offer" }), { instance: instances[i % 3] as string });
    machine.pass(2_100);
    if (i % 4 === 0) machine.take({ type: "want", wanted: i % 8 === 0 });
    expect(machine.peering.attempts.length).toBeLessThanOrEqual(maxAttempts);
  }
  for (let i = 0; i < 20; i++) {
    machine.pass(30_000);
    expect(machine.peering.attempts.length).toBeLessThanOrEqual(maxAttempts);
  }
});

test("a call goes out when there is room again, and ends no session for that", () => {
  const machine = createMachine({ role: "controlled", answersProbes: true });
  const all = Array.from({ length: maxAttempts }, (_, i) => {
    machine.pass(5_000);
    return meetCaller(machine, sessionId(i + 1), i.toString(16).repeat(32));
  });
  expect(machine.peering.sessions).toHaveLength(maxAttempts);
  for (const { ours } of all)
    machine.tell(ours, { type: "state", connection: 1, state: "disconnected", forged: false });
  machine.take({ type: "want", wanted: true });
  const effects = machine.pass(20_000);
  expect(machine.peering.attempts).toHaveLength(maxAttempts);
  expect(effects.filter(({ type }) => type === "ended")).toEqual([]);
  machine.take({ type: "close", session: machine.peering.sessions[0]?.number ?? 0, reason: "done" });
  machine.pass(20_000);
  expect(machine.peering.attempts.filter(({ instance }) => instance === undefined)).toHaveLength(1);
});

test("who is declined in words is told so a few times, however often and under however many names it asks", async () => {
  const stage = createStage(keys);
  const we = stage.start("controlled", { peer: { accept: () => "tell" } });
  for (let round = 0; round < 100; round++) {
    const they = stage.start("controlling");
    const call = they.call(we);
    call.catch(() => {});
    await stage.clock.advance(100);
    they.vanish();
  }
  expect(stage.saidBy(we).length).toBeLessThan(8 + 100 / 20 + 3);
  expect(stage.saidBy(we).length).toBeGreaterThan(2);
  expect(we.agent.connections).toHaveLength(0);
  await stage.end();
});

/** What a stream brings while time passes. */
async function* counting<T>(
  stream: AsyncIterable<T>,
  clock: { advance(ms: number): Promise<void> },
  ms: number,
): AsyncGenerator<T> {
  const seen: T[] = [];
  const reader = stream[Symbol.asyncIterator]();
  const read = async (): Promise<void> => {
    for (let next = await reader.next(); next.done !== true; next = await reader.next()) seen.push(next.value);
  };
  void read();
  await clock.advance(ms);
  await reader.return?.();
  yield* seen;
}
