/** DESIGN 6, "Timeline". */

import { expect, test } from "vitest";
import { createStage, everybody, makeKeys } from "../support/stage.ts";

const keys = makeKeys();

test("a session's timeline tells what happened, in order", async () => {
  const stage = createStage(keys);
  const [caller, called] = [stage.start("controlling"), stage.start("controlled", everybody)];
  const session = await stage.clock.runUntil(caller.call(called));
  await stage.clock.advance(1_000);
  caller.agent.connections[0]?.fail();
  await stage.clock.advance(5_000);
  await stage.clock.runUntil(session.close());
  const entries = session.timeline();
  const order = ["sent", "heard", "connected", "lost", "recovered", "ended"] as const;
  const places = order.map((wanted) => entries.findIndex(({ event }) => event === wanted));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(places).not.toContain(-1);
  expect(entries.map(({ atMs }) => atMs)).toEqual(entries.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
  await stage.end();
});

test("the timeline is bounded, and keeps the latest", async () => {
  const stage = createStage(keys);
  const [caller, called] = [stage.start("controlling"), stage.start("controlled", everybody)];
  const session = await stage.clock.runUntil(caller.call(called));
  for (let i = 0; i < 150; i++) {
    caller.agent.connections[0]?.fail();
    await stage.clock.advance(20_000);
  }
  expect(session.state).toBe("connected");
  expect(session.timeline()).toHaveLength(256);
  expect(session.timeline().at(-1)?.atMs).toBeGreaterThan(2_900_000);
  await stage.end();
});

test("the timeline holds no credential, no key and no content", async () => {
  const stage = createStage(keys);
  const [caller, called] = [stage.start("controlling"), stage.start("controlled", everybody)];
  const session = await stage.clock.runUntil(caller.call(called));
  await stage.clock.advance(1_000);
  caller.agent.connections[0]?.fail();
  await stage.clock.advance(5_000);
  const words = session
    .timeline()
    .map(({ text }) => text)
    .join("\n");
  for (const { description } of stage.wire.said)
    for (const secret of [description.ufrag, description.pwd, description.sdp, description.sessionId])
      if (secret !== "") expect(words).not.toContain(secret);
  for (const key of keys) expect(words).not.toContain(key.publicKey.toString());
  await stage.end();
});

test("explain says in words why there is no connection, and what to do", async () => {
  const stage = createStage(keys);
  const [caller, called] = [stage.start("controlling"), stage.start("controlled", everybody)];
  const before = caller.peer.explain(called.key.publicKey);
  const session = await stage.clock.runUntil(caller.call(called));
  const during = session.explain();
  stage.paths.setUp(false);
  await stage.clock.advance(20_000);
  const after = session.explain();
  expect([before.code, during.code, after.code]).toEqual(["idle", "connected", "reconnecting"]);
  for (const { text, next } of [before, during, after])
    expect([text, next].every((words) => /[a-z]/.test(words))).toBe(true);
  await stage.end();
});
