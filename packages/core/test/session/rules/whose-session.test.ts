/** DESIGN 6, "Whose session". */

import { describe, expect, test } from "vitest";
import { createMachine, describes, instances, meetCaller, sessionId } from "../support/machine.ts";
import { createStage, everybody, listenTo, makeKeys, text, watch } from "../support/stage.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;

describe.each(roles)("we are the %s one", (role) => {
  test("a session belongs to a remote instance: two instances of one key have one each", async () => {
    const stage = createStage(keys);
    const we = stage.start(role, everybody);
    const [one, two] = [stage.start(other[role]), stage.start(other[role])];
    const sessions = [await stage.clock.runUntil(one.call(we)), await stage.clock.runUntil(two.call(we))];
    await stage.clock.advance(10_000);
    expect(we.incoming.map(({ instance }) => instance)).toEqual([one.backend.instance, two.backend.instance]);
    const heard = we.incoming.map(listenTo);
    for (const [index, session] of sessions.entries())
      await stage.clock.runUntil(session.send(text.encode(`${index}`)));
    await stage.clock.advance(100);
    expect(heard).toEqual([["0"], ["1"]]);
    await stage.end();
  });

  test("a new instance never touches a live session", async () => {
    const stage = createStage(keys);
    const [we, first] = [stage.start(role, everybody), stage.start(other[role], everybody)];
    const session = await stage.clock.runUntil(we.call(first));
    const [seen, heard] = [watch(session), listenTo(session)];
    for (let i = 0; i < 5; i++) {
      const further = stage.start(other[role]);
      await stage.clock.runUntil(further.call(we));
      await stage.clock.runUntil((first.incoming[0] ?? session).send(text.encode(`${i}`)));
      await stage.clock.advance(10_000);
      further.vanish();
      await stage.clock.advance(5_000);
    }
    expect(seen).toEqual([]);
    expect(heard).toEqual(["0", "1", "2", "3", "4"]);
    expect([session.state, session.instance]).toEqual(["connected", first.backend.instance]);
    await stage.end();
  });

  test("a new instance is one more incoming session", async () => {
    const stage = createStage(keys);
    const [we, first] = [stage.start(role, everybody), stage.start(other[role], everybody)];
    await stage.clock.runUntil(we.call(first));
    const second = stage.start(other[role]);
    await stage.clock.runUntil(second.call(we));
    await stage.clock.advance(100);
    expect(we.incoming.map(({ instance }) => instance)).toEqual([second.backend.instance]);
    expect(we.sessions).toHaveLength(2);
    await stage.end();
  });

  test("when the old path is dead, the session that the application holds moves to the new instance", async () => {
    const stage = createStage(keys);
    const [we, before] = [stage.start(role, everybody), stage.start(other[role], everybody)];
    const session = await stage.clock.runUntil(we.call(before));
    const seen = watch(session);
    await stage.clock.advance(1_000);
    before.vanish();
    const after = stage.start(other[role], everybody);
    const theirs = await stage.clock.runUntil(after.call(we));
    await stage.clock.advance(10_000);
    expect(seen).toContain("moved");
    expect([session.state, session.instance]).toEqual(["connected", after.backend.instance]);
    expect(we.sessions).toEqual([session]);
    expect(we.incoming).toEqual([]);
    const heard = listenTo(theirs);
    await stage.clock.runUntil(session.send(text.encode("welcome back")));
    await stage.clock.advance(100);
    expect(heard).toEqual(["welcome back"]);
    expect([we.agent.open, after.agent.open]).toEqual([1, 1]);
    await stage.end();
  });

  test("a restarted peer is found again by the session itself, without anybody's call", async () => {
    const stage = createStage(keys);
    const [we, before] = [stage.start(role, everybody), stage.start(other[role], everybody)];
    const session = await stage.clock.runUntil(we.call(before));
    before.vanish();
    const after = stage.start(other[role], everybody);
    await stage.clock.advance(30_000);
    expect([session.state, session.instance]).toEqual(["connected", after.backend.instance]);
    await stage.end();
  });

  test("connect resolves with the first instance that connects, and tells the others that they are not needed", async () => {
    const stage = createStage(keys);
    const we = stage.start(role);
    const slow = stage.start(other[role], { ...everybody, agent: { operationMs: 3 } });
    const quick = stage.start(other[role], everybody);
    const session = await stage.clock.runUntil(we.call(slow));
    expect(session.instance).toBe(quick.backend.instance);
    await stage.clock.advance(2_000);
    expect(we.sessions).toEqual([session]);
    expect([slow.sessions, slow.agent.open]).toEqual([[], 0]);
    expect(slow.peer.explain(we.key.publicKey).code).toBe("other-instance");
    expect(stage.saidBy(we).map(({ description }) => description.close?.cause)).toContain("other-instance");
    expect(quick.incoming[0]?.state).toBe("connected");
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });

  test("an instance that answers when another one was taken already is told so, and not that we hung up", async () => {
    const stage = createStage(keys);
    const we = stage.start(role);
    const late = stage.start(other[role], { ...everybody, agent: { operationMs: 80 } });
    stage.start(other[role], everybody);
    await stage.clock.runUntil(we.call(late));
    await stage.clock.advance(2_000);
    expect(late.peer.explain(we.key.publicKey).code).toBe("other-instance");
    expect([late.sessions, late.agent.open]).toEqual([[], 0]);
    await stage.end();
  });

  test("when the first instance that answers has no path, the next one is taken without a second look", async () => {
    const stage = createStage(keys);
    const we = stage.start(role);
    const deaf = stage.start(other[role], everybody);
    deaf.agent.setUp(false);
    const sound = stage.start(other[role], { ...everybody, agent: { operationMs: 5 } });
    const session = await stage.clock.runUntil(we.call(deaf));
    expect(session.instance).toBe(sound.backend.instance);
    expect(stage.clock.now()).toBeLessThan(1_000);
    await stage.end();
  });

  test("two connect calls for one key share a session, also when the second comes later", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role), stage.start(other[role], everybody)];
    const [one, two] = await stage.clock.runUntil(Promise.all([we.call(they), we.call(they)]));
    const three = await stage.clock.runUntil(we.call(they));
    expect(two).toBe(one);
    expect(three).toBe(one);
    expect(they.incoming).toHaveLength(1);
    expect([we.agent.connections, they.agent.connections].map(({ length }) => length)).toEqual([1, 1]);
    await stage.end();
  });

  test.each([0, 3, 8, 15, 30, 200])("both sides calling %i ms apart get one session", async (apartMs) => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role, everybody), stage.start(other[role], everybody)];
    const first = we.call(they);
    await stage.clock.advance(apartMs);
    const [one, two] = await stage.clock.runUntil(Promise.all([first, they.call(we)]));
    const heard = listenTo(two);
    await stage.clock.runUntil(one.send(text.encode("hello")));
    await stage.clock.advance(20_000);
    expect(heard).toEqual(["hello"]);
    expect([we.sessions, they.sessions]).toEqual([[one], [two]]);
    expect([we.agent.open, they.agent.open]).toEqual([1, 1]);
    await stage.end();
  });
});

describe("a new instance makes us probe the old path", () => {
  const newcomer = describes({ sessionId: sessionId(2), kind: "offer" });

  test("as soon as it is heard", () => {
    const machine = createMachine({ role: "controlled" });
    const { ours } = meetCaller(machine);
    const effects = machine.hear(newcomer, { instance: instances[1] });
    expect(effects).toContainEqual({ type: "probe", attempt: ours });
  });

  test("an answer means that both stay, each its own session", () => {
    const machine = createMachine({ role: "controlled", answersProbes: true });
    const { ours } = meetCaller(machine);
    const second = meetCaller(machine, sessionId(2), instances[1]);
    machine.pass(20_000);
    expect(machine.peering.sessions.map(({ attempt }) => attempt)).toEqual([ours, second.ours]);
  });

  test("silence means that the session goes on with the new one", () => {
    const machine = createMachine({ role: "controlled" });
    meetCaller(machine);
    machine.pass(10_000);
    const second = meetCaller(machine, sessionId(2), instances[1]);
    expect(machine.pass(5_000)).toContainEqual({ type: "moved", session: 1, attempt: second.ours });
    expect(machine.peering.sessions.map(({ attempt }) => attempt)).toEqual([second.ours]);
  });
});
