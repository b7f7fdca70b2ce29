/** Defects of sessions that were mended once: named for what a user saw. */

import { describe, expect, test } from "vitest";
import { createMachine, describes, echoOf, instances, meetCaller, sessionId } from "../support/machine.ts";
import { createStage, everybody, listenTo, makeKeys, text, watch } from "../support/stage.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;

describe.each(roles)("the caller is the %s one", (role) => {
  test("a session that was lost on both sides and found again is still one session", async () => {
    const stage = createStage(keys);
    const [caller, called] = [stage.start(role, everybody), stage.start(other[role], everybody)];
    const session = await stage.clock.runUntil(caller.call(called));
    for (const outageMs of [12_000, 25_000, 55_000]) {
      stage.paths.setUp(false);
      await stage.clock.advance(outageMs);
      expect(session.state).toBe("reconnecting");
      stage.paths.setUp(true);
      await stage.clock.advance(30_000);
      expect([caller.sessions, called.sessions].map(({ length }) => length)).toEqual([1, 1]);
      expect(session.state).toBe("connected");
    }
    expect(called.incoming).toHaveLength(1);
    expect([caller.agent.open, called.agent.open]).toEqual([1, 1]);
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });

  test("a callee that gives up its lost session does not end the caller's, which works again", async () => {
    const stage = createStage(keys);
    const caller = stage.start(role, everybody);
    const called = stage.start(other[role], { peer: { accept: () => true, reconnectIncomingMs: 8_000 } });
    const session = await stage.clock.runUntil(caller.call(called));
    stage.paths.setUp(false);
    await stage.clock.advance(25_000);
    expect(called.incoming[0]?.state).toBe("closed");
    expect(session.state).toBe("reconnecting");
    stage.paths.setUp(true);
    await stage.clock.advance(40_000);
    expect(session.state).toBe("connected");
    const heard = listenTo(called.incoming[1] as (typeof called.incoming)[0]);
    await stage.clock.runUntil(session.send(text.encode("again")));
    await stage.clock.advance(100);
    expect(heard).toEqual(["again"]);
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });

  test("connect calls who has restarted, though the session of the time before still waits for its path", async () => {
    const stage = createStage(keys);
    const we = stage.start(role, everybody);
    const before = stage.start(other[role], everybody);
    await stage.clock.runUntil(before.call(we));
    const lost = we.incoming[0];
    before.vanish();
    await stage.clock.advance(12_000);
    expect(lost?.state).toBe("reconnecting");
    const after = stage.start(other[role], everybody);
    const startMs = stage.clock.now();
    const session = await stage.clock.runUntil(we.call(after));
    expect(session.instance).toBe(after.backend.instance);
    expect(stage.clock.now() - startMs).toBeLessThan(10_000);
    await stage.end();
  });

  test("a connect that was aborted leaves no attempt with somebody whom accept does not allow", async () => {
    const stage = createStage(keys);
    const we = stage.start(role, { peer: { accept: () => false }, agent: { blocked: true } });
    const they = stage.start(other[role], { ...everybody, agent: { blocked: true } });
    const stop = new AbortController();
    const calls = [we.call(they, { signal: stop.signal }), they.call(we)];
    for (const call of calls) call.catch(() => {});
    await stage.clock.advance(1_000);
    expect(we.agent.open).toBeGreaterThan(0);
    stop.abort();
    await stage.clock.advance(1_000);
    expect(we.agent.open).toBe(0);
    const connections = we.agent.connections.length;
    await stage.clock.advance(60_000);
    expect(we.agent.connections).toHaveLength(connections);
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });

  test("nor one with another instance, which came in because we called", async () => {
    const stage = createStage(keys);
    const we = stage.start(role, { agent: { blocked: true } });
    const first = stage.start(other[role], everybody);
    const stop = new AbortController();
    we.call(first, { signal: stop.signal }).catch(() => {});
    await stage.clock.advance(500);
    stage
      .start(other[role])
      .call(we)
      .catch(() => {});
    await stage.clock.advance(500);
    expect(we.agent.open).toBe(2);
    stop.abort();
    await stage.clock.advance(1_000);
    expect(we.agent.open).toBe(0);
    await stage.end();
  });

  test("an application that closes with the reason `declined` has closed, and nothing more", async () => {
    const stage = createStage(keys);
    const [caller, called] = [stage.start(role, everybody), stage.start(other[role], everybody)];
    const session = await stage.clock.runUntil(caller.call(called));
    await stage.clock.advance(100);
    await stage.clock.runUntil(called.incoming[0]?.close({ reason: "declined" }) ?? Promise.reject(new Error("none")));
    expect(await stage.clock.runUntil(session.closed)).toEqual({ cause: "closed-by-peer", reason: "declined" });
    expect(caller.peer.explain(called.key.publicKey).code).toBe("closed-by-peer");
    await stage.end();
  });
});

test("a session that comes back by itself, while its peer was called anew as well, stays the only one", () => {
  const machine = createMachine({ role: "controlled", answersProbes: true });
  const { ours, theirs } = meetCaller(machine);
  machine.take({ type: "want", wanted: true });
  machine.tell(ours, { type: "state", connection: 1, state: "disconnected", forged: false });
  machine.pass(3_100);
  const again = machine.peering.attempts.find(({ id }) => id !== ours)?.id ?? "";
  machine.hear(describes({ sessionId: sessionId(2), kind: "offer", received: echoOf(machine, again) }));
  const sdp = "v=0\r\no=- more 0 IN IP4 0.0.0.0\r\n";
  machine.tell(again, { type: "described", connection: 1, description: { sdp, ufrag: "more", pwd: "q".repeat(24) } });
  const { number: connection = 0 } = machine.peering.attempts.find(({ id }) => id === ours)?.connection ?? {};
  machine.tell(ours, { type: "state", connection, state: "connected", forged: false });
  machine.hear(describes({ sessionId: theirs, kind: "offer", received: echoOf(machine, ours) }));
  machine.tell(again, { type: "state", connection: 1, state: "connected", forged: false });
  expect(machine.pass(10_000).map(({ type }) => type)).not.toContain("established");
  expect(machine.peering.sessions).toMatchObject([{ attempt: ours, connected: true }]);
});

test("an old verdict about a path does not move a session: it is asked anew", () => {
  const machine = createMachine({ role: "controlled" });
  const { ours, theirs } = meetCaller(machine);
  machine.tell(ours, { type: "made", connection: 1, canRestart: true });
  machine.pass(1_000);
  // A newcomer makes us ask, nobody answers in time, and ICE is restarted; then the path is as good as before.
  machine.hear(describes({ sessionId: sessionId(2) }), { instance: instances[1] });
  machine.pass(3_000);
  expect(machine.peering.attempts[0]?.operation).toMatchObject({ type: "offer", epoch: 2 });
  const sdp = "v=0\r\no=- ours 0 IN IP4 0.0.0.0\r\n";
  machine.tell(ours, { type: "described", connection: 1, description: { sdp, ufrag: "new1", pwd: "q".repeat(24) } });
  machine.pass(20);
  machine.hear(describes({ sessionId: theirs, kind: "answer", epoch: 2, received: echoOf(machine, ours) }));
  machine.tell(ours, { type: "accepted", connection: 1 });
  expect(machine.peering.sessions[0]?.deadAtMs).toBeGreaterThan(0);
  machine.pass(600_000);
  const effects = meetNewcomer(machine).map(({ type }) => type);
  expect(effects).toContain("probe");
  expect(effects).not.toContain("moved");
  expect(machine.peering.sessions).toMatchObject([{ attempt: ours, connected: true }]);
});

/** Another instance calls and connects. Returns what came of it. */
function meetNewcomer(machine: ReturnType<typeof createMachine>) {
  const before = machine.peering.attempts.length;
  const effects = [...machine.hear(describes({ sessionId: sessionId(3), kind: "offer" }), { instance: instances[2] })];
  const id = machine.peering.attempts[before]?.id ?? "";
  const sdp = "v=0\r\no=- ours 0 IN IP4 0.0.0.0\r\n";
  const description = { sdp, ufrag: "ours", pwd: "q".repeat(24) };
  effects.push(...machine.tell(id, { type: "described", connection: 1, description }));
  effects.push(...machine.tell(id, { type: "state", connection: 1, state: "connected", forged: false }));
  return effects;
}

test("watch tells of a session that was found again: it has not moved", async () => {
  const stage = createStage(keys);
  const [caller, called] = [stage.start("controlling", everybody), stage.start("controlled", everybody)];
  const seen = watch(await stage.clock.runUntil(caller.call(called)));
  stage.paths.setUp(false);
  await stage.clock.advance(20_000);
  stage.paths.setUp(true);
  await stage.clock.advance(20_000);
  expect(seen).toEqual(["reconnecting", "connected"]);
  await stage.end();
});
