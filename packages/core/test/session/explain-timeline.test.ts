/** The timeline: enough to understand afterwards what happened, in order, bounded, and without anything secret. */

import type { Session, TimelineEntry } from "@wice/core";
import { describe, expect, test } from "vitest";
import { type Actor, createStage, everybody, listenTo, makeKeys, type Stage, text } from "./support/stage.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;

/** What a peer tells of its peers from now on, in a list that grows. */
function record({ peer }: Actor): readonly TimelineEntry[] {
  const entries: TimelineEntry[] = [];
  const listen = async (): Promise<void> => {
    for await (const status of peer.status()) if (status.type === "peer") entries.push(status);
  };
  void listen();
  return entries;
}

async function connect(stage: Stage, caller: Actor, called: Actor): Promise<Session> {
  const session = await stage.clock.runUntil(caller.call(called));
  await stage.clock.advance(500);
  return session;
}

const events = (entries: readonly TimelineEntry[]): string[] => entries.map(({ event }) => event);

describe.each(roles)("the caller is the %s one", (role) => {
  test("it tells how a session came to be, was lost, came back and ended", async () => {
    const stage = createStage(keys);
    const [caller, called] = [stage.start(role), stage.start(other[role], everybody)];
    const session = await connect(stage, caller, called);
    expect(session.timeline()[0]).toEqual({ atMs: 0, event: "wanted", text: "a session is wanted" });
    const coming = new Set(events(session.timeline()));
    expect(coming).toEqual(new Set(["wanted", "connection", "sent", "heard", "connected"]));
    expect(called.incoming[0]?.timeline()[0]).toMatchObject({ event: "heard" });
    const many = session.timeline().length;
    stage.paths.setUp(false);
    await stage.clock.advance(12_000);
    stage.paths.setUp(true);
    await stage.clock.advance(30_000);
    await stage.clock.runUntil(session.close({ reason: "enough" }));
    const milestones = events(session.timeline().slice(many)).filter((event) => /lost|recovered|ended/.test(event));
    expect(milestones).toEqual(["lost", "recovered", "ended"]);
    const times = session.timeline().map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(called.incoming[0]?.timeline().at(-1)?.text).toBe("the peer has closed the session (enough)");
    await stage.end();
  });

  test("it tells what kinds of candidates there were, and when nobody was there", async () => {
    const stage = createStage(keys);
    const caller = stage.start(role, { agent: { gatherMs: [2, 3] } });
    const away = stage.start(other[role]);
    await stage.clock.runUntil(away.backend.close());
    const told = record(caller);
    const session = caller.call(away);
    await stage.clock.advance(2_000);
    expect(told).toContainEqual(
      expect.objectContaining({ event: "sent", text: expect.stringMatching(/; nobody is subscribed$/) }),
    );
    const called = stage.start(other[role], everybody);
    const connected = await stage.clock.runUntil(session);
    await stage.clock.advance(500);
    expect(connected.timeline()).toContainEqual(
      expect.objectContaining({ event: "sent", text: expect.stringMatching(/^(offer|answer) 1 with .*: 2 host/) }),
    );
    expect(called.incoming).toHaveLength(1);
    await stage.end();
  });

  test("a night of waiting does not push out how it began", async () => {
    const stage = createStage(keys);
    const caller = stage.start(role, everybody);
    const away = stage.start(other[role]);
    await stage.clock.runUntil(away.backend.close());
    const waiting = caller.call(away);
    await stage.clock.advance(8 * 3_600_000);
    const called = stage.start(other[role], everybody);
    const session = await stage.clock.runUntil(waiting);
    const entries = session.timeline();
    expect(entries[0]?.event).toBe("wanted");
    const longest = entries.find(({ times = 1 }) => times > 1_000);
    expect(longest).toMatchObject({ event: "sent", lastAtMs: expect.closeTo(8 * 3_600_000, -4) });
    expect(entries.length).toBeLessThan(40);
    expect(called.incoming).toHaveLength(1);
    await stage.end();
  });

  test("it keeps 256 entries, the latest ones, and each text short", async () => {
    const stage = createStage(keys);
    const [caller, called] = [stage.start(role), stage.start(other[role], everybody)];
    const session = await connect(stage, caller, called);
    for (let each = 0; each < 300; each++) {
      called.agent.connections[0]?.refuseServer(600 + (each % 2));
      caller.agent.connections[0]?.refuseServer(600, `${each} ${"x".repeat(10_000)}`);
    }
    const entries = session.timeline();
    expect(entries).toHaveLength(256);
    expect(entries.at(-1)?.text).toMatch(/^turn:turn\.example: 299 x+$/);
    for (const entry of entries) expect(entry.text.length).toBeLessThanOrEqual(400);
    expect(called.incoming[0]?.timeline()).toHaveLength(256);
    await stage.end();
  });
});

test("what a server says commands no terminal", async () => {
  const stage = createStage(keys);
  const [caller, called] = [stage.start("controlling"), stage.start("controlled", everybody)];
  const session = await connect(stage, caller, called);
  const told = record(caller);
  caller.agent.connections[0]?.refuseServer(600, "one\r\n\u001b[31mtwo\u009b");
  await stage.clock.advance(1);
  const clean = "turn:turn.example: one   [31mtwo  (600)";
  expect([session.timeline().at(-1)?.text, told.at(-1)?.text]).toEqual([clean, clean]);
  await stage.end();
});

test("neither timeline, nor status, nor verdicts hold a key, a credential, an address or content", async () => {
  const stage = createStage(keys);
  const [caller, called] = [stage.start("controlling", everybody), stage.start("controlled", everybody)];
  const told = [record(caller), record(called)];
  const verdicts: string[] = [];
  const look = (): void => {
    for (const [from, to] of [
      [caller, called],
      [called, caller],
    ] as const)
      verdicts.push(JSON.stringify(from.peer.explain(to.key.publicKey)));
  };
  const session = await connect(stage, caller, called);
  const heard = listenTo(called.incoming[0] as Session);
  await stage.clock.runUntil(session.send(text.encode("a secret word")));
  await stage.clock.advance(100);
  look();
  stage.paths.setUp(false);
  await stage.clock.advance(25_000);
  look();
  stage.wire.down = true;
  stage.wire.cut();
  await stage.clock.advance(25_000);
  look();
  stage.wire.down = false;
  stage.paths.setUp(true);
  await stage.clock.advance(60_000);
  expect(heard).toEqual(["a secret word"]);
  const timeline = session.timeline();
  await stage.clock.runUntil(session.close());
  look();

  const all = JSON.stringify([timeline, ...told.map((entries) => entries.map((entry) => entry.text)), verdicts]);
  const secrets = stage.wire.said.flatMap(({ description: { ufrag, pwd, sdp, sessionId, candidates } }) => [
    ...[ufrag, pwd, sdp, sessionId],
    ...candidates.map(({ address }) => address),
  ]);
  for (const { key } of [caller, called]) secrets.push(key.exportKey().toString(), key.publicKey.toString());
  expect(new Set(secrets).size).toBeGreaterThan(10);
  for (const secret of ["a secret word", ...secrets]) if (secret !== "") expect(all).not.toContain(secret);
  await stage.end();
});
