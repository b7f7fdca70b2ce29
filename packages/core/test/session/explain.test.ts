/** Why two peers are not connected: each verdict, as the application gets it from the real state machine. */

import type { Session, Verdict } from "@wice/core";
import { describe, expect, test } from "vitest";
import { type Actor, createStage, everybody, makeKeys, type Stage } from "./support/stage.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;

/** A call whose end is of no interest. */
function call(caller: Actor, called: Actor, signal?: AbortSignal): void {
  caller.call(called, signal === undefined ? {} : { signal }).catch(() => {});
}

function explain(from: Actor, to: Actor): Verdict {
  return from.peer.explain(to.key.publicKey);
}

async function connect(stage: Stage, caller: Actor, called: Actor): Promise<[Session, Session]> {
  const session = await stage.clock.runUntil(caller.call(called));
  await stage.clock.advance(100);
  const [incoming] = called.incoming;
  if (incoming === undefined) throw new Error("nobody was called");
  return [session, incoming];
}

describe.each(roles)("the %s one wants a session", (role) => {
  const two = (stage: Stage, called = everybody): [Actor, Actor] => [
    stage.start(role),
    stage.start(other[role], called),
  ];

  test("before anything: there is nothing to say, and afterwards that it works", async () => {
    const stage = createStage(keys);
    const [we, they] = two(stage);
    expect(explain(we, they)).toEqual({
      code: "idle",
      text: "nothing is going on with this peer",
      next: "connect to it",
    });
    const [session, theirs] = await connect(stage, we, they);
    for (const verdict of [explain(we, they), session.explain(), explain(they, we), theirs.explain()])
      expect(verdict).toEqual({ code: "connected", text: "data can flow", next: "nothing" });
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });

  test("nobody is subscribed at the relay", async () => {
    const stage = createStage(keys);
    const [we, they] = two(stage);
    await stage.clock.runUntil(they.backend.close());
    call(we, they);
    await stage.clock.advance(1_000);
    expect(explain(we, they)).toEqual({
      code: "nobody-subscribed",
      text: "nobody is subscribed at the relay with the peer's key",
      next: "start the peer, and check that both use the same relay and the right key; it is tried again until then",
    });
    await stage.end();
  });

  test("the relay cannot be reached", async () => {
    const stage = createStage(keys);
    const [we, they] = two(stage);
    stage.wire.down = true;
    call(we, they);
    await stage.clock.advance(1_000);
    expect(explain(we, they)).toEqual({
      code: "relay-unreachable",
      text: "signaling does not work: the relay is gone",
      next: "check the URL of the relay, and that it runs; it is tried again until then",
    });
    await stage.end();
  });

  test("messages leave, and nothing is heard", async () => {
    const stage = createStage(keys);
    const [we, they] = two(stage, { peer: { accept: () => false } });
    call(we, they);
    await stage.clock.advance(1_000);
    expect(explain(we, they)).toMatchObject({
      code: "not-heard",
      text: "messages were sent, and the peer has not answered",
      next: expect.stringContaining("may decline in silence"),
    });
    await stage.end();
  });

  test("the peer declines", async () => {
    const stage = createStage(keys);
    const [we, they] = two(stage, { peer: { accept: () => "tell" } });
    const called = we.call(they);
    await expect(stage.clock.runUntil(called)).rejects.toMatchObject({ code: "permission-denied" });
    expect(explain(we, they)).toEqual({
      code: "declined",
      text: "the peer has declined",
      next: "ask the other side to accept our key",
    });
    await stage.end();
  });

  test("the agents have none in common", async () => {
    const stage = createStage(keys);
    const [we, they] = two(stage, { ...everybody, agent: { name: "datagram" } });
    call(we, they);
    await stage.clock.advance(1_000);
    for (const verdict of [explain(we, they), explain(they, we)])
      expect(verdict).toEqual({
        code: "no-common-agent",
        text: "the two peers have no agent in common: WebRTC, or sealed or bare datagrams",
        next: "give one of them the other's agent as well",
      });
    await stage.end();
  });

  test("no pair of addresses answers, and there is no TURN server", async () => {
    const stage = createStage(keys);
    const [we, they] = two(stage);
    stage.paths.setUp(false);
    call(we, they);
    await stage.clock.advance(20_000);
    expect(explain(we, they)).toEqual({
      code: "no-path",
      text: "no pair of addresses answered, and no TURN server is configured",
      next: "configure a TURN server: some NATs and firewalls let nothing else through",
    });
    await stage.end();
  });

  test("no pair of addresses answers, in spite of a TURN server", async () => {
    const stage = createStage(keys);
    const we = stage.start(role, { agent: { hasTurn: true } });
    const they = stage.start(other[role], everybody);
    stage.paths.setUp(false);
    call(we, they);
    await stage.clock.advance(20_000);
    expect(explain(we, they)).toMatchObject({
      code: "no-path",
      text: "no pair of addresses answered, not even through TURN",
    });
    expect(explain(they, we).text).toMatch(/no TURN server is configured/);
    await stage.end();
  });

  test.each([401, 403, 438])("the TURN server refuses the credentials with %i", async (code) => {
    const stage = createStage(keys);
    const we = stage.start(role, { agent: { hasTurn: true } });
    const they = stage.start(other[role], everybody);
    stage.paths.setUp(false);
    call(we, they);
    await stage.clock.advance(500);
    we.agent.connections[0]?.refuseServer(code);
    const refused = {
      code: "turn-refused",
      text: `the TURN server turn:turn.example refused the credentials (${code})`,
      next: "give it valid credentials",
    };
    expect(explain(we, they)).toEqual(refused);
    await stage.clock.advance(14_700);
    expect(explain(we, they)).toEqual(refused);
    await stage.end();
  });

  test("it was connected, and the path is lost", async () => {
    const stage = createStage(keys);
    const [we, they] = two(stage);
    const [session, theirs] = await connect(stage, we, they);
    stage.paths.setUp(false);
    await stage.clock.advance(8_000);
    for (const verdict of [explain(we, they), session.explain(), explain(they, we), theirs.explain()])
      expect(verdict).toMatchObject({
        code: "reconnecting",
        text: "it was connected, and the path is lost",
        next: expect.stringContaining("it is tried again"),
      });
    stage.wire.down = true;
    await stage.clock.advance(8_000);
    expect(session.explain().code).toBe("reconnecting");
    expect(session.explain().text).toMatch(/the path is lost; signaling .*: the relay is gone$/);
    stage.wire.down = false;
    stage.paths.setUp(true);
    await stage.clock.advance(60_000);
    expect(session.explain().code).toBe("connected");
    await stage.end();
  });

  test("another instance of our key was taken", async () => {
    const stage = createStage(keys);
    const [first, second] = [stage.start(role, everybody), stage.start(role, everybody)];
    const they = stage.start(other[role]);
    const session = await stage.clock.runUntil(they.call(first));
    await stage.clock.advance(5_000);
    const [taken, left] = session.instance === first.backend.instance ? [first, second] : [second, first];
    expect(explain(taken, they).code).toBe("connected");
    expect(explain(left, they)).toMatchObject({
      code: "other-instance",
      text: expect.stringContaining("the peer has taken another instance of our key: another tab"),
      next: "go on there, or connect from here",
    });
    await stage.end();
  });

  test("the peer closes", async () => {
    const stage = createStage(keys);
    const [we, they] = two(stage);
    const [session, theirs] = await connect(stage, we, they);
    await stage.clock.runUntil(theirs.close({ reason: "good night" }));
    await stage.clock.runUntil(session.closed);
    for (const verdict of [explain(we, they), session.explain()])
      expect(verdict).toEqual({
        code: "closed-by-peer",
        text: "the peer has closed the session (good night)",
        next: "connect again if it should go on",
      });
    for (const verdict of [explain(they, we), theirs.explain()]) expect(verdict.code).toBe("closed");
    await stage.end();
  });
});
