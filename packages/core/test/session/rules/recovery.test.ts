/** DESIGN 6, "Recovery". */

import { WiceError } from "@wice/core";
import { describe, expect, test } from "vitest";
import { type Actor, createStage, everybody, listenTo, makeKeys, type Stage, text, watch } from "../support/stage.ts";
import { changeConnections } from "../support/unruly-agent.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;
const cannot = { agent: { canRestart: false } };

/** Both ways, over the session as the application has it. */
async function talks(stage: Stage, we: Actor, they: Actor): Promise<boolean> {
  const [ours, theirs] = [we.sessions[0], they.sessions[0]];
  if (ours === undefined || theirs === undefined) return false;
  const heard = [listenTo(ours), listenTo(theirs)];
  await stage.clock.runUntil(Promise.all([ours.send(text.encode("to")), theirs.send(text.encode("fro"))]));
  await stage.clock.advance(100);
  return heard[0]?.at(-1) === "fro" && heard[1]?.at(-1) === "to";
}

describe.each(roles)("the %s one has the trouble", (role) => {
  test("a network change restarts ICE inside the session, on the same connection", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role), stage.start(other[role], everybody)];
    const session = await stage.clock.runUntil(we.call(they));
    await stage.clock.advance(1_000);
    const seen = watch(session);
    we.changeNetwork();
    await stage.clock.advance(2_000);
    expect(we.agent.connections[0]?.calls).toContain("restart");
    expect([we.agent.connections.length, they.agent.connections.length]).toEqual([1, 1]);
    expect(seen).toEqual([]);
    expect(await talks(stage, we, they)).toBe(true);
    await stage.end();
  });

  test("a failed pair restarts ICE inside the session, soon", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role), stage.start(other[role], everybody)];
    const session = await stage.clock.runUntil(we.call(they));
    await stage.clock.advance(1_000);
    const seen = watch(session);
    we.agent.connections[0]?.fail();
    await stage.clock.advance(3_000);
    expect(seen).toEqual(["reconnecting", "connected"]);
    const calls = [we, they].flatMap(({ agent }) => agent.connections.flatMap((connection) => connection.calls));
    expect(calls).toContain("restart");
    expect([we.agent.connections.length, they.agent.connections.length]).toEqual([1, 1]);
    expect(we.sessions).toEqual([session]);
    expect(await talks(stage, we, they)).toBe(true);
    await stage.end();
  });

  test("a path that is lost for minutes is found again, with what was said meanwhile", async () => {
    const stage = createStage(keys);
    const we = stage.start(role);
    const they = stage.start(other[role], { peer: { accept: () => true, reconnectIncomingMs: 3_600_000 } });
    const session = await stage.clock.runUntil(we.call(they));
    const heard = listenTo(they.incoming[0] ?? session);
    stage.paths.setUp(false);
    await stage.clock.advance(10_000);
    session.send(text.encode("meanwhile")).catch(() => {});
    await stage.clock.advance(600_000);
    expect(session.state).toBe("reconnecting");
    stage.paths.setUp(true);
    await stage.clock.advance(90_000);
    expect([session.state, heard]).toEqual(["connected", ["meanwhile"]]);
    await stage.end();
  });

  test.each([
    ["it", cannot, everybody],
    ["the other one", {}, { ...everybody, ...cannot }],
    ["neither", cannot, { ...everybody, ...cannot }],
  ] as const)(
    "where the agent of %s cannot restart, the connection is replaced at the next epoch",
    async (_, ours, theirs) => {
      const stage = createStage(keys);
      const [we, they] = [stage.start(role, ours), stage.start(other[role], theirs)];
      const session = await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(1_000);
      const seen = watch(session);
      const [first] = we.agent.connections;
      we.agent.connections[0]?.fail();
      await stage.clock.advance(20_000);
      expect(we.sessions).toEqual([session]);
      expect(session.state).toBe("connected");
      // It is not asked for what it cannot do.
      if (ours === cannot) expect(first?.calls).not.toContain("restart");
      expect(seen).toContain("connection");
      expect(seen).not.toContain("moved");
      expect(session.connection).not.toBe(first);
      expect([first?.closed, we.agent.open, they.agent.open]).toEqual([true, 1, 1]);
      expect(Math.max(...stage.wire.said.map(({ description }) => description.epoch))).toBeGreaterThanOrEqual(2);
      expect(new Set(stage.saidBy(we).map(({ description }) => description.sessionId)).size).toBe(1);
      expect(await talks(stage, we, they)).toBe(true);
      await stage.end();
    },
  );

  test("an agent that says it can restart, and then throws, gets a new connection", async () => {
    const stage = createStage(keys);
    const agents = changeConnections((connection) => ({
      async offer(options: { readonly restart: boolean }) {
        if (options.restart) throw new WiceError("unsupported", "restartIce: not implemented");
        return connection.offer(options);
      },
    }));
    const [we, they] = [stage.start(role, { agents }), stage.start(other[role], everybody)];
    const session = await stage.clock.runUntil(we.call(they));
    await stage.clock.advance(1_000);
    session.restart();
    await stage.clock.advance(10_000);
    expect(session.state).toBe("connected");
    expect(we.agent.connections.length).toBeGreaterThan(1);
    expect([we.agent.open, they.agent.open]).toEqual([1, 1]);
    expect(await talks(stage, we, they)).toBe(true);
    await stage.end();
  });

  test("agents that ignore rollback get new connections when both offer at once", async () => {
    const stage = createStage(keys);
    const agent = { canRollBack: false, canRestart: false };
    const [we, they] = [stage.start(role, { agent }), stage.start(other[role], { ...everybody, agent })];
    const session = await stage.clock.runUntil(we.call(they));
    await stage.clock.advance(1_000);
    for (const each of [we, they]) each.agent.connections[0]?.needNegotiation();
    await stage.clock.advance(20_000);
    expect(session.state).toBe("connected");
    expect([we.agent.open, they.agent.open]).toEqual([1, 1]);
    expect(await talks(stage, we, they)).toBe(true);
    await stage.end();
  });
});
