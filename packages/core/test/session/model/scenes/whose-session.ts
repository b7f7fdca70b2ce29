/** DESIGN 6, "Whose session" and "No displacement". */

import { createBackend, type KeyPair } from "@wice/core";
import { expect } from "vitest";
import { type Description, writeDescription } from "../../../../src/session/description.ts";
import { type Actor, everybody, listenTo, text, watch } from "../../support/stage.ts";
import { doings, type Scene, words } from "./scene.ts";

const pairOf = (ours: Actor, theirs: Actor): KeyPair => ({ ours: ours.key, theirs: theirs.key.publicKey });

export const whoseSessionScenes: readonly Scene[] = [
  {
    name: "the session moves to a new instance when the old path is dead",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [we, before] = [stage.start(ours, everybody), stage.start(theirs, everybody)];
      const session = await stage.clock.runUntil(we.call(before));
      await stage.clock.advance(chance.integer(0, 3_000));
      before.vanish();
      const after = stage.start(theirs, everybody);
      const called = await stage.clock.runUntil(after.call(we));
      await stage.clock.advance(10_000);
      expect([session.state, session.instance]).toEqual(["connected", after.backend.instance]);
      expect([we.sessions, we.incoming]).toEqual([[session], []]);
      const heard = listenTo(called);
      await stage.clock.runUntil(session.send(text.encode("welcome back")));
      await stage.clock.advance(100);
      expect(heard).toEqual(["welcome back"]);
    },
  },
  {
    name: "connect takes the first instance that connects, and tells the others that they are not needed",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const we = stage.start(ours);
      const slow = stage.start(theirs, { ...everybody, agent: { operationMs: chance.integer(4, 100) } });
      const quick = stage.start(theirs, everybody);
      const session = await stage.clock.runUntil(we.call(slow));
      await stage.clock.advance(2_000);
      expect(session.instance).toBe(quick.backend.instance);
      expect([we.sessions, slow.sessions, slow.agent.open]).toEqual([[session], [], 0]);
      expect(slow.peer.explain(we.key.publicKey).code).toBe("other-instance");
    },
  },
  {
    name: "both sides calling get one session, of one connection",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [we, they] = [stage.start(ours, everybody), stage.start(theirs, everybody)];
      const first = we.call(they);
      await stage.clock.advance(chance.integer(0, 60));
      const sessions = await stage.clock.runUntil(Promise.all([first, they.call(we)]));
      await stage.clock.advance(20_000);
      expect([we.sessions, they.sessions]).toEqual(sessions.map((session) => [session]));
      expect([we.agent.connections.length, they.agent.connections.length]).toEqual([1, 1]);
      const ids = [we, they].map((actor) => new Set(words(stage, actor).map(({ sessionId }) => sessionId)).size);
      expect(ids).toEqual([1, 1]);
    },
  },
  {
    name: "another instance of the peer's key ends nothing, whatever it says of our session",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [we, they] = [stage.start(ours, everybody), stage.start(theirs, everybody)];
      const session = await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(1_000);
      const seen = watch(session);
      const { clock } = stage;
      const intruder = createBackend(stage.wire.connect(), { clock });
      const cause = chance.pick(["done", "gone", "declined", "other-instance"] as const);
      for (const description of words(stage, they)) {
        const session = writeDescription({ ...description, close: { cause, reason: "" } });
        await clock.runUntil(intruder.publish(pairOf(they, we), { session }));
      }
      await clock.advance(10_000);
      await intruder.close();
      expect([session.state, seen]).toEqual(["connected", []]);
    },
  },
  {
    name: "a recording that meets a call does not hold it up",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [earlier, before] = [stage.start(ours, everybody), stage.start(theirs)];
      await stage.clock.runUntil(before.call(earlier));
      for (const actor of [earlier, before]) actor.vanish();
      const recorded = stage.wire.said.filter(({ from }) => from.equals(before.key.publicKey));
      await stage.clock.advance(1_000);
      const we = stage.start(ours);
      const startMs = stage.clock.now();
      const call = we.call(before);
      await stage.clock.advance(chance.integer(0, 50));
      for (const { envelope } of recorded) await stage.wire.replay(envelope);
      stage.start(theirs, everybody);
      const session = await stage.clock.runUntil(call);
      expect(session.state).toBe("connected");
      expect(stage.clock.now() - startMs).toBeLessThan(8_000);
      await stage.clock.advance(60_000);
      expect(we.agent.open).toBe(1);
    },
  },
  {
    name: "who does not echo our session is answered with our state, a few times, and displaces nothing",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [we, they] = [stage.start(ours, everybody), stage.start(theirs, everybody)];
      const session = await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(60_000);
      const seen = watch(session);
      const said = words(stage, they).at(-1) as Description;
      // In-band nothing of ours would be overheard.
      const { length } = stage.wire.said;
      const inBand = stage.paths.controlMessages;
      for (let i = 0; i < 200; i++) {
        const sessionId = (0xabc + i).toString(16).padStart(32, "0");
        const description = { ...said, sessionId, received: undefined };
        await stage.clock.runUntil(they.backend.publish(pairOf(they, we), { session: writeDescription(description) }));
        await stage.clock.advance(50);
      }
      const answers = stage.paths.controlMessages - inBand + words(stage, we).length - length;
      expect(answers).toBeGreaterThan(0);
      expect(stage.paths.controlMessages - inBand).toBeLessThan(20);
      expect([session.state, seen]).toEqual(["connected", []]);
      expect(doings(we).filter((call) => call === "answer" || call === "accept").length).toBe(1);
    },
  },
];
