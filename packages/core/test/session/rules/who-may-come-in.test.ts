/** DESIGN 6, "Who may come in". */

import { describe, expect, test } from "vitest";
import { hasCode, rejectionOf } from "../../support/errors.ts";
import { createMachine, describes, instances, sessionId } from "../support/machine.ts";
import { createStage, makeKeys } from "../support/stage.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;

describe.each(roles)("we are the %s one", (role) => {
  test.each([
    ["without accept", {}],
    ["when accept says no", { accept: () => false }],
    [
      "when accept throws",
      {
        accept: (): boolean => {
          throw new Error("the application's mistake");
        },
      },
    ],
  ])("nobody comes in %s: no connection, and not a word to the caller, who learns no address", async (_, options) => {
    const stage = createStage(keys);
    const we = stage.start(role, { peer: options });
    const stranger = stage.start(other[role]);
    stranger.call(we).catch(() => {});
    await stage.clock.advance(120_000);
    expect(stage.saidBy(we)).toEqual([]);
    expect([we.agent.connections.length, we.sessions.length, we.incoming.length]).toEqual([0, 0, 0]);
    expect(["not-heard", "nobody-subscribed"]).toContain(stranger.peer.explain(we.key.publicKey).code);
    await stage.end();
  });

  test("the keys that we connect to come in without accept", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role), stage.start(other[role])];
    const calls = [we.call(they), they.call(we)];
    const [ours] = await stage.clock.runUntil(Promise.all(calls));
    expect(ours?.state).toBe("connected");
    await stage.end();
  });

  test("so does another instance of a key that we call, while the one that answered finds no path", async () => {
    const stage = createStage(keys);
    const we = stage.start(role);
    const walled = stage.start(other[role], { peer: { accept: () => true }, agent: { blocked: true } });
    const call = we.call(walled);
    await stage.clock.advance(1_000);
    const further = stage.start(other[role]);
    const theirs = await stage.clock.runUntil(further.call(we));
    expect(theirs.state).toBe("connected");
    expect(stage.clock.now()).toBeLessThan(2_000);
    expect((await stage.clock.runUntil(call)).instance).toBe(further.backend.instance);
    await stage.end();
  });

  test("who is accepted comes in, and accept is asked about its key", async () => {
    const stage = createStage(keys);
    const asked: string[] = [];
    const accept = (key: { toString(): string }): boolean => {
      asked.push(key.toString());
      return true;
    };
    const [we, they] = [stage.start(role, { peer: { accept } }), stage.start(other[role])];
    await stage.clock.runUntil(they.call(we));
    expect(new Set(asked)).toEqual(new Set([they.key.publicKey.toString()]));
    await stage.clock.advance(100);
    expect(we.incoming).toHaveLength(1);
    await stage.end();
  });

  test("declining is told when accept asks for it, and the caller's connect is refused", async () => {
    const stage = createStage(keys);
    const we = stage.start(role, { peer: { accept: () => "tell" } });
    const they = stage.start(other[role]);
    const rejection = await stage.clock.runUntil(rejectionOf(they.call(we)));
    expect(rejection).toEqual(hasCode("permission-denied"));
    expect(they.peer.explain(we.key.publicKey).code).toBe("declined");
    expect(we.agent.connections).toHaveLength(0);
    for (const { description } of stage.saidBy(we))
      expect(description).toMatchObject({ sdp: "", ufrag: "", candidates: [] });
    await stage.end();
  });

  test("who came in while we called does not stay when we do not call any more", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role, { agent: { blocked: true } }), stage.start(other[role])];
    const stop = new AbortController();
    const call = we.call(they, { signal: stop.signal });
    they.call(we).catch(() => {});
    await stage.clock.advance(500);
    expect(we.agent.open).toBe(1);
    stop.abort(new Error("enough"));
    await stage.clock.runUntil(rejectionOf(call));
    await stage.clock.advance(30_000);
    expect(we.agent.open).toBe(0);
    await stage.end();
  });
});

test("one instance's refusal does not end a call that another one takes", async () => {
  const stage = createStage(keys);
  const we = stage.start("controlling");
  const declining = stage.start("controlled", { peer: { accept: () => "tell" } });
  stage.start("controlled", { peer: { accept: () => true }, agent: { operationMs: 100 } });
  const session = await stage.clock.runUntil(we.call(declining));
  expect(session.state).toBe("connected");
  await stage.end();
});

test("a session that was accepted stays when accept changes its mind: it is for newcomers", () => {
  const machine = createMachine({ role: "controlled" });
  machine.hear(describes({ sessionId: sessionId(1), kind: "offer" }), { welcome: "yes" });
  machine.hear(describes({ sessionId: sessionId(1), kind: "offer" }), { welcome: "no" });
  expect(machine.peering.attempts).toHaveLength(1);
  machine.hear(describes({ sessionId: sessionId(2), kind: "offer" }), { welcome: "no", instance: instances[1] });
  expect(machine.peering.attempts).toHaveLength(1);
});
