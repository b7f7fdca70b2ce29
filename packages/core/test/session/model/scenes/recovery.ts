/** DESIGN 6, "In-band" and "Recovery". */

import { create } from "@bufbuild/protobuf";
import { decodeEnvelope, decodeMessage, encodeEnvelope, encodeMessage, open, WiceError } from "@wice/core";
import { expect } from "vitest";
import { SessionDescription_CloseSchema } from "../../../../src/gen/wice/v1/message_pb.ts";
import { encodeControl } from "../../../../src/session/control.ts";
import { everybody, listenTo, text, watch } from "../../support/stage.ts";
import { tapped } from "../../support/tapped.ts";
import { changeConnections } from "../../support/unruly-agent.ts";
import { doings, type Scene } from "./scene.ts";

export const recoveryScenes: readonly Scene[] = [
  {
    name: "over an open channel session messages go in-band, over a lost path by the backend",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [we, they] = [stage.start(ours), stage.start(theirs, everybody)];
      const session = await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(2_000);
      const [envelopes, inBand] = [stage.wire.envelopes.length, stage.paths.controlMessages];
      chance.pick([we, they]).agent.connections[0]?.needNegotiation();
      await stage.clock.advance(2_000);
      expect(stage.wire.envelopes).toHaveLength(envelopes);
      expect(stage.paths.controlMessages).toBeGreaterThan(inBand);
      for (const actor of [we, they]) actor.agent.connections[0]?.fail();
      await stage.clock.advance(5_000);
      expect(stage.wire.envelopes.length).toBeGreaterThan(envelopes);
      expect(session.state).toBe("connected");
    },
  },
  {
    name: "a path that is dead, which nobody has noticed, keeps nothing from going by the backend",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [we, they] = [stage.start(ours, everybody), stage.start(theirs, everybody)];
      const session = await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(2_000);
      const { length } = stage.wire.said;
      stage.paths.setUp(false);
      session.restart();
      await stage.clock.advance(3_000);
      expect(session.state).toBe("connected");
      expect(stage.wire.said.length).toBeGreaterThan(length);
    },
  },
  {
    name: "what is not sealed is not heard in-band",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [mine, its] = [tapped(), tapped()];
      const [we, they] = [stage.start(ours, mine), stage.start(theirs, { ...everybody, ...its })];
      const session = await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(1_000);
      they.agent.connections[0]?.needNegotiation();
      await stage.clock.advance(1_000);
      const envelope = decodeEnvelope(its.envelopes.at(-1) ?? new Uint8Array());
      const message = decodeMessage(await open(we.key, envelope));
      if (message.session === undefined) throw new Error("nothing was said in-band");
      const close = create(SessionDescription_CloseSchema, { reason: "not me" });
      const body = encodeMessage({ ...message, session: { ...message.session, close } });
      for (const { control } of mine.connections)
        control.handlers.onMessage?.(encodeControl({ envelope: encodeEnvelope({ ...envelope, body }) }));
      await stage.clock.advance(5_000);
      expect(session.state).toBe("connected");
    },
  },
  {
    name: "a lost backend ends nothing",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [we, they] = [stage.start(ours), stage.start(theirs, everybody)];
      const session = await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(2_000);
      const heard = listenTo(they.incoming[0] ?? session);
      stage.wire.down = true;
      stage.wire.cut();
      await stage.clock.advance(60_000 * chance.integer(1, 20));
      await stage.clock.runUntil(session.send(text.encode("still")));
      await stage.clock.advance(100);
      expect([session.state, heard]).toEqual(["connected", ["still"]]);
    },
  },
  {
    name: "a network change or a failed pair restarts ICE, or replaces the connection where the agent cannot",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const canRestart = chance.yes();
      const agent = { canRestart };
      const [we, they] = [stage.start(ours, { agent }), stage.start(theirs, { ...everybody, agent })];
      const session = await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(1_000);
      const seen = watch(session);
      if (chance.yes()) {
        we.changeNetwork();
        await stage.clock.advance(3_000);
        expect(seen).not.toContain("closed");
      } else {
        we.agent.connections[0]?.fail();
        await stage.clock.advance(5_000);
        expect(seen.slice(0, 1)).toEqual(["reconnecting"]);
      }
      const all = [we, they].flatMap(doings);
      expect(all.includes("restart")).toBe(canRestart);
      expect(we.agent.connections.length > 1).toBe(!canRestart);
      expect([session.state, we.sessions, we.agent.open, they.agent.open]).toEqual(["connected", [session], 1, 1]);
    },
  },
  {
    name: "what an agent says it can, and cannot, a new connection does",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const agents = changeConnections((connection) => ({
        async offer(options: { readonly restart: boolean }) {
          if (options.restart) throw new WiceError("unsupported", "restartIce: not implemented");
          return connection.offer(options);
        },
      }));
      const [we, they] = [stage.start(ours, { agents }), stage.start(theirs, everybody)];
      const session = await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(1_000);
      session.restart();
      await stage.clock.advance(10_000);
      expect([session.state, we.agent.open, they.agent.open]).toEqual(["connected", 1, 1]);
      expect(we.agent.connections.length).toBeGreaterThan(1);
    },
  },
];
