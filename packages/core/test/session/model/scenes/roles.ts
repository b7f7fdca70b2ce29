/** DESIGN 6, "Roles". */

import { rtc, WiceError } from "@wice/core";
import { expect } from "vitest";
import { type Actor, everybody } from "../../support/stage.ts";
import { changeConnections } from "../../support/unruly-agent.ts";
import { doings, type Scene, words } from "./scene.ts";

const settles = ["answer", "accept"];

export const rolesScenes: readonly Scene[] = [
  {
    name: "who calls offers in its first message, unless the controlling one has the choice of an agent",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const several = chance.yes();
      const more = several
        ? { agents: (agent: Actor["agent"]) => [agent, stage.paths.agent({ name: "datagram" })] }
        : {};
      const [we, they] = [stage.start(ours, more), stage.start(theirs, everybody)];
      await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(1_000);
      const offers = ours === "controlling" || !several;
      const kinds = [we, they].map((actor) => new Set(words(stage, actor).map(({ kind }) => kind)));
      expect(kinds[offers ? 0 : 1]).toEqual(new Set(["offer"]));
      expect(kinds[offers ? 1 : 0]).not.toContain("offer");
      expect(words(stage, offers ? we : they)[0]).toMatchObject({ kind: "offer", epoch: 1 });
      if (!offers) expect(words(stage, we)[0]).toMatchObject({ kind: "hello", candidates: [] });
      expect([we.agent.connections.length, they.agent.connections.length]).toEqual([1, 1]);
    },
  },
  {
    name: "either side may offer later, in turns or at once; the controlling one's stands",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [we, they] = [stage.start(ours), stage.start(theirs, everybody)];
      const session = await stage.clock.runUntil(we.call(they));
      const [controlling, controlled] = ours === "controlling" ? [we, they] : [they, we];
      for (let i = 0; i < 6; i++) {
        await stage.clock.advance(1_000);
        const before = [controlling, controlled].map((actor) => doings(actor).length);
        const who = chance.pick(["controlling", "controlled", "both"]);
        if (who !== "controlled") controlling.agent.connections[0]?.needNegotiation();
        if (who !== "controlling") controlled.agent.connections[0]?.needNegotiation();
        await stage.clock.advance(1_000);
        const done = [controlling, controlled].map((actor, index) =>
          doings(actor)
            .slice(before[index])
            .filter((call) => !/candidates/.test(call)),
        );
        const [first, second] = done.map((calls) => calls.slice(0, 2));
        if (who === "controlling") expect(done).toEqual([["offer", "accept"], ["answer"]]);
        if (who === "controlled") expect(done).toEqual([["answer"], ["offer", "accept"]]);
        if (who === "both")
          expect([first, second]).toEqual([
            ["offer", "accept"],
            ["offer", "answer"],
          ]);
      }
      expect([session.state, we.agent.connections.length, they.agent.connections.length]).toEqual(["connected", 1, 1]);
    },
  },
  {
    name: "offers that nobody heard do not keep the next one from being answered",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const agent = { canRestart: false };
      const [we, they] = [stage.start(ours, { agent }), stage.start(theirs, { ...everybody, agent })];
      const session = await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(1_000);
      stage.wire.passes = () => false;
      stage.paths.setUp(false);
      for (let i = 0; i < chance.integer(2, 4); i++) {
        await stage.clock.advance(8_000);
        session.restart();
        we.agent.connections.at(-1)?.fail();
      }
      stage.wire.passes = () => true;
      stage.paths.setUp(true);
      await stage.clock.advance(15_000);
      expect(session.state).toBe("connected");
      expect(they.sessions.map(({ state }) => state)).toEqual(["connected"]);
    },
  },
  {
    name: "an offer is later than one of the peer's that could not be taken",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      let refuses = false;
      const agents = changeConnections((connection) => ({
        async answer(offer: Parameters<typeof connection.answer>[0]) {
          if (refuses) throw new WiceError("invalid-message", "not this one");
          return connection.answer(offer);
        },
      }));
      const [we, they] = [stage.start(ours, { agents }), stage.start(theirs, everybody)];
      const session = await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(1_000);
      refuses = true;
      they.agent.connections[0]?.needNegotiation();
      await stage.clock.advance(2_000);
      const { length } = doings(we);
      we.agent.connections[0]?.needNegotiation();
      await stage.clock.advance(2_000);
      expect(doings(we).slice(length).slice(0, 2)).toEqual(["offer", "accept"]);
      expect(session.state).toBe("connected");
    },
  },
  {
    name: "candidates belong to their ufrag: those of the time before a restart are not said",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const lateMs = chance.integer(2_000, 4_000);
      const we = stage.start(ours, { agent: { gatherMs: [2, 20, lateMs] } });
      const they = stage.start(theirs, everybody);
      const session = await stage.clock.runUntil(we.call(they));
      await stage.clock.advance(1_000);
      session.restart();
      await stage.clock.advance(10_000);
      const given = doings(they).flatMap((call) => {
        const count = /^(\d+) candidates$/.exec(call)?.[1];
        return count === undefined ? [] : [Number(count)];
      });
      expect(given.reduce((sum, count) => sum + count, 0)).toBe(2 + 3);
    },
  },
  {
    name: "early candidates are kept until their description is there",
    async play(stage, chance) {
      const gatherMs = [1, 3, 9, 27];
      const [we, they] = [
        stage.start("controlling", { ...everybody, agent: { gatherMs, operationMs: chance.integer(1, 30) } }),
        stage.start("controlled", { ...everybody, agent: { gatherMs, operationMs: chance.integer(1, 30) } }),
      ];
      // Each has the other's offer before its own is answered.
      await stage.clock.runUntil(Promise.all([we.call(they), they.call(we)]));
      await stage.clock.advance(200);
      for (const { calls } of [we, they].flatMap(({ agent }) => agent.connections)) {
        const given = calls.findIndex((call) => / candidates$/.test(call) && /^\d/.test(call));
        const described = calls.findIndex((call) => settles.includes(call));
        if (given >= 0) expect(described >= 0 && described < given).toBe(true);
      }
    },
  },
  {
    name: "max-bundle and rtcp-mux are asked for",
    async play(stage, chance) {
      const asked: unknown[] = [];
      const RTCPeerConnection = class {
        constructor(configuration: unknown) {
          asked.push(configuration);
          throw new Error("enough");
        }
      } as unknown as never;
      const [ours, theirs] = chance.roles();
      const we = stage.start(ours, { agents: () => [rtc({ RTCPeerConnection })] });
      we.call(stage.start(theirs)).catch(() => {});
      await stage.clock.advance(1_000);
      expect(asked[0]).toMatchObject({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
    },
  },
];
