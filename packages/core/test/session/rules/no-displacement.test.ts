/** DESIGN 6, "No displacement by strangers or recordings". */

import { describe, expect, test } from "vitest";
import { type CloseCause, type Kind, readDescription, writeDescription } from "../../../src/session/description.ts";
import { createMachine, describes, doings, echoOf, instances, meetCaller, sessionId } from "../support/machine.ts";
import { createStage, everybody, listenTo, makeKeys, text, watch } from "../support/stage.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;
const kinds: readonly Kind[] = ["hello", "offer", "answer"];
const echoes = [undefined, { sessionId: sessionId(99), kind: "offer", epoch: 1, candidates: 0 }] as const;

describe("a description that does not echo our current session id", () => {
  test("may start a provisional attempt", () => {
    const machine = createMachine({ role: "controlled" });
    machine.hear(describes({ sessionId: sessionId(1), kind: "offer" }));
    expect(machine.peering.attempts).toMatchObject([{ confirmed: false, instance: instances[0] }]);
    expect(machine.peering.sessions).toEqual([]);
  });

  test("starts one that is given up when nobody confirms it", () => {
    const machine = createMachine({ role: "controlled" });
    machine.hear(describes({ sessionId: sessionId(1), kind: "offer" }));
    expect(machine.pass(31_000)).toContainEqual(expect.objectContaining({ type: "attempt-ended", cause: "expired" }));
    expect(machine.peering.attempts).toEqual([]);
  });

  test.each(
    kinds.flatMap((kind) =>
      echoes.flatMap((received) => [instances[0], instances[1]].map((instance) => ({ kind, received, instance }))),
    ),
  )("never ends or displaces anything: $kind, $received, of $instance", ({ kind, received, instance }) => {
    const machine = createMachine({ role: "controlled", answersProbes: true });
    const { ours, theirs } = meetCaller(machine);
    const before = machine.peering.attempts[0];
    for (const id of [sessionId(2), sessionId(3)])
      for (const epoch of kind === "hello" ? [0] : [1, 2, 1_000]) {
        const effects = machine.hear(describes({ sessionId: id, kind, epoch, received }), { instance });
        const touched = effects.filter(
          (effect) => effect.type === "attempt" && effect.attempt.id === ours && effect.effect.type !== "send",
        );
        expect(touched).toEqual([]);
        expect(effects.filter(({ type }) => ["moved", "lost", "ended"].includes(type))).toEqual([]);
      }
    machine.pass(60_000);
    const after = machine.peering.attempts.find((each) => each.id === ours);
    expect(after).toMatchObject({
      connection: before?.connection,
      local: before?.local,
      remote: { sessionId: theirs },
    });
    expect(machine.peering.sessions).toMatchObject([{ attempt: ours, connected: true }]);
  });

  test.each(["done", "declined", "gone", "other-instance"] as const)(
    "ends nothing by the end `%s` that it holds",
    (cause: CloseCause) => {
      const machine = createMachine({ role: "controlled" });
      const { ours, theirs } = meetCaller(machine);
      const close = { cause, reason: "" };
      for (const received of echoes) {
        machine.hear(describes({ sessionId: theirs, kind: "offer", close, received }));
        machine.hear(describes({ sessionId: sessionId(5), close, received }));
      }
      // And not when another instance says it, whoever that is.
      const echo = { sessionId: ours, kind: "answer", epoch: 1, candidates: 0 } as const;
      machine.hear(describes({ sessionId: theirs, close, received: echo }), { instance: instances[1] });
      machine.pass(10_000);
      expect(machine.peering.sessions).toMatchObject([{ attempt: ours, connected: true }]);
    },
  );
});

test("a path that stands is not given up for a late word of another attempt of the same peer", () => {
  const machine = createMachine({ role: "controlled", answersProbes: true });
  // Connected before the peer's first word that names our session has come.
  machine.hear(describes({ sessionId: sessionId(1), kind: "offer" }));
  const ours = machine.peering.attempts[0]?.id ?? "";
  machine.tell(ours, {
    ...{ type: "described", connection: 1 },
    description: { sdp: "v=0\r\no=- ours 0 IN IP4 0.0.0.0\r\n", ufrag: "ours", pwd: "q".repeat(24) },
  });
  machine.tell(ours, { type: "state", connection: 1, state: "connected", forged: false });
  const received = { sessionId: ours, kind: "answer", epoch: 1, candidates: 0 } as const;
  const effects = machine.hear(describes({ sessionId: sessionId(2), kind: "offer", received }));
  expect(doings(effects)).not.toContain("disconnect");
  expect(machine.peering.attempts[0]).toMatchObject({ id: ours, remoteId: sessionId(1) });
  expect(machine.peering.sessions).toMatchObject([{ attempt: ours, connected: true }]);
});

test("who has answered another session than it is with now says so in a way that the peer can read", () => {
  const machine = createMachine({ role: "controlled" });
  machine.hear(describes({ sessionId: sessionId(1), kind: "offer" }));
  const ours = machine.peering.attempts[0]?.id ?? "";
  machine.tell(ours, {
    ...{ type: "described", connection: 1 },
    description: { sdp: "v=0\r\no=- ours 0 IN IP4 0.0.0.0\r\n", ufrag: "ours", pwd: "q".repeat(24) },
  });
  const received = { sessionId: ours, kind: "answer", epoch: 1, candidates: 0 } as const;
  const effects = [
    ...machine.hear(describes({ sessionId: sessionId(2), kind: "offer", received })),
    ...machine.pass(1_000),
  ];
  const said = effects.flatMap((effect) =>
    effect.type === "attempt" && effect.effect.type === "send" ? [effect.effect.description] : [],
  );
  expect(said).toContainEqual(
    expect.objectContaining({ received: expect.objectContaining({ sessionId: sessionId(2) }) }),
  );
  for (const description of said) expect(readDescription(writeDescription(description))).toBeDefined();
});

test("who has answered another session is made a later offer at once", () => {
  const machine = createMachine({ role: "controlling" });
  machine.hear(describes({ sessionId: sessionId(1), kind: "hello", epoch: 0 }));
  const ours = machine.peering.attempts[0]?.id ?? "";
  machine.tell(ours, {
    ...{ type: "described", connection: 1 },
    description: { sdp: "v=0\r\no=- ours 0 IN IP4 0.0.0.0\r\n", ufrag: "ours", pwd: "q".repeat(24) },
  });
  machine.pass(20);
  const received = echoOf(machine, ours);
  const effects = machine.hear(describes({ sessionId: sessionId(1), kind: "hello", epoch: 2, received }));
  expect(doings(effects)).toEqual(expect.arrayContaining(["disconnect", "connect", "offer"]));
  expect(machine.peering.attempts[0]?.operation).toMatchObject({ type: "offer", epoch: 3 });
});

describe("we answer it with our state", () => {
  test("so that a peer that has lost its session learns of ours", () => {
    const machine = createMachine({ role: "controlled" });
    const { ours } = meetCaller(machine);
    machine.pass(5_000);
    const effects = machine.hear(describes({ sessionId: sessionId(2) }));
    expect(effects).toContainEqual(
      expect.objectContaining({
        effect: expect.objectContaining({ type: "send", description: expect.objectContaining({ sessionId: ours }) }),
      }),
    );
  });

  test("rate-limited: a thousand in ten seconds get a few answers", () => {
    const machine = createMachine({ role: "controlled" });
    meetCaller(machine);
    machine.pass(60_000);
    let answers = 0;
    for (let i = 0; i < 1_000; i++) {
      const effects = [...machine.hear(describes({ sessionId: sessionId(100 + i) })), ...machine.pass(10)];
      answers += doings(effects).filter((doing) => doing === "send").length;
    }
    expect(answers).toBeGreaterThan(2);
    expect(answers).toBeLessThan(16);
  });
});

describe.each(roles)("we are the %s one", (role) => {
  test("taking on another remote session makes a new session id of our own", async () => {
    const stage = createStage(keys);
    const [we, before] = [stage.start(role, everybody), stage.start(other[role], everybody)];
    await stage.clock.runUntil(we.call(before));
    await stage.clock.advance(1_000);
    const [first, count] = [
      new Set(stage.saidBy(we).map(({ description }) => description.sessionId)),
      stage.saidBy(we).length,
    ];
    expect(first.size).toBe(1);
    before.vanish();
    const after = stage.start(other[role], everybody);
    await stage.clock.runUntil(after.call(we));
    const answers = stage
      .saidBy(we)
      .slice(count)
      .filter(({ description }) => description.kind !== "hello");
    const forNew = answers.filter(({ description }) => {
      const [theirs] = stage.wire.said.filter(({ instance }) => instance === after.backend.instance);
      return description.received?.sessionId === theirs?.description.sessionId;
    });
    expect(forNew.length).toBeGreaterThan(0);
    for (const { description } of forNew) expect(first.has(description.sessionId)).toBe(false);
    await stage.end();
  });

  test("no replay ends a working session, not even of all that was ever said, in any order, to restarted processes too", async () => {
    const stage = createStage(keys);
    const [we, before] = [stage.start(role, everybody), stage.start(other[role], everybody)];
    const earlier = await stage.clock.runUntil(we.call(before));
    await stage.clock.runUntil(earlier.close());
    await stage.clock.runUntil(before.call(we));
    before.vanish();
    await stage.clock.advance(1_000);
    const after = stage.start(other[role], everybody);
    const session = await stage.clock.runUntil(after.call(we));
    await stage.clock.advance(30_000);
    const held = [...we.sessions, ...after.sessions];
    const seen = held.map(watch);
    const recordings = [...stage.wire.envelopes];
    expect(recordings.length).toBeGreaterThan(6);
    for (const order of [recordings, recordings.toReversed(), recordings.filter((_, i) => i % 3 === 0)])
      for (const envelope of order) {
        await stage.wire.replay(envelope);
        await stage.wire.replay({ ...envelope, sender: envelope.recipient, recipient: envelope.sender });
        await stage.clock.advance(700);
      }
    expect(seen.flat()).toEqual([]);
    expect(held.map(({ state }) => state)).toEqual(held.map(() => "connected"));
    const heard = listenTo(we.sessions.at(-1) ?? session);
    await stage.clock.runUntil(session.send(text.encode("still here")));
    await stage.clock.advance(100);
    expect(heard).toEqual(["still here"]);
    await stage.end();
  });
});
