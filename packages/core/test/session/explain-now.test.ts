/** `explain()` speaks of what is now: what was in the way of something that is over, or has passed, is not said any more. */

import { type Session, type Verdict, WiceError } from "@wice/core";
import { describe, expect, test } from "vitest";
import { type Actor, createStage, everybody, makeKeys, type Stage } from "./support/stage.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;

function call(caller: Actor, called: Actor, signal?: AbortSignal): void {
  caller.call(called, signal === undefined ? {} : { signal }).catch(() => {});
}

function explain(from: Actor, to: Actor): Verdict {
  return from.peer.explain(to.key.publicKey);
}

/** The session of the called one. */
async function connect(stage: Stage, caller: Actor, called: Actor): Promise<[Session, Session]> {
  const session = await stage.clock.runUntil(caller.call(called));
  await stage.clock.advance(100);
  return [session, called.incoming.at(-1) as Session];
}

describe.each(roles)("the %s one", (role) => {
  test("has no path to a peer that has gone: now nobody is subscribed, or the relay is away", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role), stage.start(other[role], everybody)];
    stage.paths.setUp(false);
    call(we, they);
    await stage.clock.advance(20_000);
    expect(explain(we, they).code).toBe("no-path");
    they.vanish();
    await stage.clock.advance(30_000);
    expect(explain(we, they).code).toBe("nobody-subscribed");
    stage.wire.down = true;
    await stage.clock.advance(10_000);
    expect(explain(we, they).code).toBe("relay-unreachable");
    stage.wire.down = false;
    await stage.clock.advance(10_000);
    expect(explain(we, they).code).toBe("nobody-subscribed");
    await stage.end();
  });

  test("was refused by a TURN server that takes it the next time", async () => {
    const stage = createStage(keys);
    const we = stage.start(role, { agent: { hasTurn: true, canRestart: false } });
    const they = stage.start(other[role], { ...everybody, agent: { canRestart: false } });
    stage.paths.setUp(false);
    call(we, they);
    await stage.clock.advance(500);
    we.agent.connections[0]?.refuseServer(401);
    await stage.clock.advance(16_500);
    // Another try is under way, and has not come to anything yet.
    expect(we.agent.connections.length).toBeGreaterThan(1);
    expect(explain(we, they).code).toBe("turn-refused");
    await stage.clock.advance(16_500);
    expect(explain(we, they).code).toBe("no-path");
    await stage.end();
  });

  test("met somebody else on the path three times, and then nobody", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role), stage.start(other[role], everybody)];
    stage.paths.setUp(false);
    call(we, they);
    await stage.clock.advance(500);
    const forged = new WiceError("forged", "another certificate");
    for (let i = 0; i < 2; i++) {
      we.agent.connections.at(-1)?.fail(forged);
      await stage.clock.advance(3_000);
      expect(explain(we, they).code).toBe("connecting");
    }
    we.agent.connections.at(-1)?.fail(forged);
    await stage.clock.advance(1_000);
    expect(explain(we, they).code).toBe("forged");
    await stage.clock.advance(40_000);
    expect(explain(we, they).code).toBe("no-path");
    await stage.end();
  });

  test("had nothing in common with a peer that comes back with another agent", async () => {
    const stage = createStage(keys);
    const [we, before] = [stage.start(role), stage.start(other[role], { ...everybody, agent: { name: "datagram" } })];
    call(we, before);
    await stage.clock.advance(1_000);
    expect(explain(we, before).code).toBe("no-common-agent");
    before.vanish();
    const after = stage.start(other[role], everybody);
    stage.paths.setUp(false);
    await stage.clock.advance(16_500);
    expect(explain(we, after).code).not.toBe("no-common-agent");
    stage.paths.setUp(true);
    await stage.clock.advance(60_000);
    expect(explain(we, after).code).toBe("connected");
    await stage.end();
  });

  test("could make no connection for a moment", async () => {
    const stage = createStage(keys);
    let failure: WiceError | undefined = new WiceError("unsupported", "no WebRTC for now");
    const we = stage.start(role, { agent: { broken: () => failure } });
    const they = stage.start(other[role], everybody);
    call(we, they);
    await stage.clock.advance(1_000);
    expect(explain(we, they)).toEqual({
      code: "no-agent",
      text: "no connection can be made here: no WebRTC for now",
      next: "give the peer an agent",
    });
    failure = undefined;
    stage.paths.setUp(false);
    await stage.clock.advance(5_000);
    expect(explain(we, they).code).toBe("connecting");
    stage.paths.setUp(true);
    await stage.clock.advance(60_000);
    expect(explain(we, they).code).toBe("connected");
    await stage.end();
  });

  test("gave up a call that nobody heard, and was called since", async () => {
    const stage = createStage(keys);
    const we = stage.start(role, everybody);
    const nobody = stage.start(other[role]);
    await stage.clock.runUntil(nobody.backend.close());
    const stop = new AbortController();
    call(we, nobody, stop.signal);
    await stage.clock.advance(1_000);
    stop.abort();
    await stage.clock.advance(1_000);
    expect(explain(we, nobody).code).toBe("nobody-subscribed");
    const they = stage.start(other[role]);
    const [theirs] = await connect(stage, they, we);
    await stage.clock.runUntil(theirs.close());
    await stage.clock.advance(1_000);
    expect(explain(we, they).code).toBe("closed-by-peer");
    await stage.end();
  });

  test("gave up a call for want of a path, and calls again", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role), stage.start(other[role], everybody)];
    stage.paths.setUp(false);
    const stop = new AbortController();
    call(we, they, stop.signal);
    await stage.clock.advance(20_000);
    stop.abort();
    await stage.clock.advance(5_000);
    expect(explain(we, they).code).toBe("no-path");
    call(we, they);
    await stage.clock.advance(1_000);
    expect(explain(we, they).code).toBe("connecting");
    await stage.end();
  });

  test("calls while our own key is deaf, as it has been for a while", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role, everybody), stage.start(other[role], everybody)];
    await stage.clock.advance(1_000);
    stage.wire.down = true;
    stage.wire.cut();
    await stage.clock.advance(30_000);
    expect(explain(we, they).code).toBe("idle");
    call(we, they);
    expect(explain(we, they)).toMatchObject({
      code: "relay-unreachable",
      text: "signaling does not work: the relay is gone",
    });
    stage.wire.down = false;
    await stage.clock.advance(60_000);
    expect(explain(we, they).code).toBe("connected");
    await stage.end();
  });

  test("is told of a caller that came to nothing why that was", async () => {
    const stage = createStage(keys);
    const [they, we] = [stage.start(role), stage.start(other[role], everybody)];
    stage.paths.setUp(false);
    const stop = new AbortController();
    call(they, we, stop.signal);
    await stage.clock.advance(20_000);
    they.vanish();
    await stage.clock.advance(60_000);
    expect(["no-path", "nobody-subscribed"]).toContain(explain(we, they).code);
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });

  test("has a session whose verdict is its own, and stays when it is over", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role), stage.start(other[role], everybody)];
    const [first, theirs] = await connect(stage, we, they);
    await stage.clock.runUntil(theirs.close({ reason: "first" }));
    await stage.clock.runUntil(first.closed);
    const over = first.timeline();
    expect(over.at(-1)).toMatchObject({ event: "ended", text: "the peer has closed the session (first)" });
    const [second] = await connect(stage, we, they);
    expect(second.explain().code).toBe("connected");
    expect(first.explain()).toMatchObject({
      code: "closed-by-peer",
      text: "the peer has closed the session (first)",
    });
    expect(first.timeline()).toEqual(over);
    await stage.clock.runUntil(second.close());
    expect([first, second].map((session) => session.explain().code)).toEqual(["closed-by-peer", "closed"]);
    await stage.end();
  });

  test("has two sessions, one with each instance: the one that is lost says so", async () => {
    const stage = createStage(keys);
    const we = stage.start(role, everybody);
    const [one, two] = [stage.start(other[role]), stage.start(other[role])];
    await stage.clock.runUntil(one.call(we));
    await stage.clock.runUntil(two.call(we));
    await stage.clock.advance(1_000);
    expect(we.incoming).toHaveLength(2);
    one.agent.setUp(false);
    await stage.clock.advance(12_000);
    const codes = new Map(we.incoming.map((session) => [session.instance, session.explain().code]));
    expect(codes.get(one.backend.instance)).toBe("reconnecting");
    expect(codes.get(two.backend.instance)).toBe("connected");
    expect(explain(we, one).code).toBe("connected");
    await stage.end();
  });

  test("lost a peer that has gone, and is told so", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role), stage.start(other[role], everybody)];
    const [session] = await connect(stage, we, they);
    they.vanish();
    await stage.clock.advance(20_000);
    expect(session.explain()).toEqual({
      code: "reconnecting",
      text: "it was connected, and the path is lost; nobody is subscribed at the relay with the peer's key",
      next: "start the peer, and check that both use the same relay and the right key; it is tried again until then",
    });
    await stage.end();
  });
});
