/** DESIGN 6, its beginning: a pure state machine, and signaling as state synchronisation. */

import { describe, expect, test } from "vitest";
import { createMachine, describes, doings, echoOf, instances, sessionId } from "../support/machine.ts";
import { createStage, everybody, makeKeys } from "../support/stage.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;

test("the machine is pure: the same events at the same times give the same state and effects, and change no input", () => {
  // The machine freezes all that it gives to a step.
  const run = () => {
    const machine = createMachine({ role: "controlled" });
    const effects = [
      ...machine.take({ type: "want", wanted: true }),
      ...machine.hear(describes({ sessionId: sessionId(1), kind: "offer" })),
      ...machine.pass(12_000),
      ...machine.hear(describes({ sessionId: sessionId(2), kind: "offer" }), { instance: instances[1] }),
      ...machine.take({ type: "close-all", reason: "done" }),
    ];
    return { effects, peering: machine.peering };
  };
  const first = run();
  expect(first.effects.length).toBeGreaterThan(4);
  expect(run()).toEqual(first);
});

describe.each(roles)("the caller is the %s one", (role) => {
  test("each message holds the sender's whole description, and what it has of the other's", async () => {
    const stage = createStage(keys);
    const agent = { gatherMs: [2, 60, 120] };
    const [caller, called] = [stage.start(role, { agent }), stage.start(other[role], { ...everybody, agent })];
    stage.paths.setUp(false);
    caller.call(called).catch(() => {});
    await stage.clock.advance(2_000);
    const offers = stage.saidBy(caller).map(({ description }) => description);
    const answers = stage
      .saidBy(called)
      .flatMap(({ description }) => (description.kind === "answer" ? [description] : []));
    const lastAnswer = answers.at(-1);
    expect(offers.at(-1)).toMatchObject({ kind: "offer", sdp: offers[0]?.sdp, ufrag: offers[0]?.ufrag });
    expect(offers.at(-1)?.candidates.map(({ port }) => port)).toEqual([9, 10, 11]);
    expect(offers.at(-1)?.received).toMatchObject({ sessionId: lastAnswer?.sessionId, kind: "answer", epoch: 1 });
    expect(lastAnswer?.candidates.map(({ port }) => port)).toEqual([9, 10, 11]);
    expect(lastAnswer?.received).toMatchObject({ sessionId: offers[0]?.sessionId, kind: "offer", epoch: 1 });
    await stage.end();
  });

  test("any one envelope of a kind suffices: of each five that say the same, four are lost", async () => {
    const stage = createStage(keys);
    const [caller, called] = [stage.start(role), stage.start(other[role], everybody)];
    const count = new Map<string, number>();
    stage.wire.passes = ({ from, description: { kind } }) => {
      const what = `${from} ${kind}`;
      count.set(what, (count.get(what) ?? 0) + 1);
      return count.get(what) === 5;
    };
    const session = await stage.clock.runUntil(caller.call(called));
    expect(session.state).toBe("connected");
    expect(stage.clock.now()).toBeLessThan(60_000);
    await stage.end();
  });

  test("duplicated, late and overtaking messages change nothing", async () => {
    const stage = createStage(keys);
    const agent = { gatherMs: [2, 40, 80, 120, 160] };
    const [caller, called] = [stage.start(role, { agent }), stage.start(other[role], { ...everybody, agent })];
    let number = 0;
    stage.wire.passes = ({ envelope }) => {
      number += 1;
      for (const delayMs of [(number * 37) % 200, (number * 61) % 500])
        stage.clock.schedule(delayMs, () => void stage.wire.replay(envelope));
      return false;
    };
    const session = await stage.clock.runUntil(caller.call(called));
    await stage.clock.advance(5_000);
    expect(session.state).toBe("connected");
    expect([caller.agent.connections, called.agent.connections].map(({ length }) => length)).toEqual([1, 1]);
    expect([caller.sessions, called.sessions].map(({ length }) => length)).toEqual([1, 1]);
    await stage.end();
  });
});

describe("a message is sent when the other side's `received` shows that it lags", () => {
  /** A machine with an answer that the peer has got up to what is given. */
  function answering(received: "all" | "nothing") {
    const machine = createMachine({ role: "controlled" });
    machine.hear(describes({ sessionId: sessionId(1), kind: "offer" }));
    const id = machine.peering.attempts[0]?.id ?? "";
    const description = { sdp: "v=0\r\no=- ours 0 IN IP4 0.0.0.0\r\n", ufrag: "ours", pwd: "q".repeat(24) };
    machine.tell(id, { type: "described", connection: 1, description });
    machine.pass(25);
    const echo = received === "all" ? { received: echoOf(machine, id) } : {};
    machine.hear(describes({ sessionId: sessionId(1), kind: "offer", ...echo }));
    return machine;
  }

  test("it has all: nothing is sent any more", () => {
    expect(doings(answering("all").pass(15_000))).not.toContain("send");
  });

  test("it lags: everything is sent again until it has it", () => {
    expect(doings(answering("nothing").pass(5_000)).filter((doing) => doing === "send").length).toBeGreaterThan(1);
  });

  test("and it is told what was received of it, so that it can fall silent", async () => {
    const stage = createStage(keys);
    const [caller, called] = [stage.start("controlling"), stage.start("controlled", everybody)];
    stage.paths.setUp(false);
    caller.call(called).catch(() => {});
    await stage.clock.advance(2_000);
    const before = stage.wire.said.length;
    await stage.clock.advance(8_000);
    expect(stage.wire.said.length).toBe(before);
    await stage.end();
  });
});
