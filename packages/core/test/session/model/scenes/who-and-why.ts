/** DESIGN 6, "Agents", "Who may come in" and "Timeline". */

import type { Agent, AgentName } from "@wice/core";
import { expect } from "vitest";
import { hasCode, rejectionOf } from "../../../support/errors.ts";
import { type ActorOptions, everybody, type Stage } from "../../support/stage.ts";
import { doings, type Scene, words } from "./scene.ts";

const having = (stage: Stage, names: readonly AgentName[]): ActorOptions => ({
  ...everybody,
  agents: () => names.map((name): Agent => stage.paths.agent({ name })),
});
const lists = [["rtc"], ["datagram"], ["rtc", "datagram"], ["datagram", "rtc"]] as const;

export const whoAndWhyScenes: readonly Scene[] = [
  {
    name: "the description lists the agents; the controlling one's first common agent is used, or there is none",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [mine, its] = [chance.pick(lists), chance.pick(lists)];
      const [we, they] = [stage.start(ours, having(stage, mine)), stage.start(theirs, having(stage, its))];
      const [first, second]: readonly (readonly AgentName[])[] = ours === "controlling" ? [mine, its] : [its, mine];
      const common = first?.find((name) => second?.includes(name));
      const call = we.call(they);
      call.catch(() => {});
      await stage.clock.advance(20_000);
      for (const description of words(stage, we)) expect(description.agents).toEqual(mine);
      for (const description of words(stage, they)) expect(description.agents).toEqual(its);
      if (common === undefined) {
        for (const [one, other] of [
          [we, they],
          [they, we],
        ] as const)
          expect(one.peer.explain(other.key.publicKey).code).toBe("no-common-agent");
      } else {
        expect([(await call).agent, they.incoming[0]?.agent]).toEqual([common, common]);
      }
    },
  },
  {
    name: "nobody comes in who is not accepted: silently, unless it is to be told",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const tells = chance.yes();
      const we = stage.start(ours, { peer: { accept: () => (tells ? "tell" : false) } });
      const they = stage.start(theirs);
      const call = they.call(we);
      if (tells) expect(await stage.clock.runUntil(rejectionOf(call))).toEqual(hasCode("permission-denied"));
      else call.catch(() => {});
      await stage.clock.advance(30_000);
      expect([we.agent.connections.length, we.sessions, we.incoming]).toEqual([0, [], []]);
      expect(words(stage, we).length > 0).toBe(tells);
      for (const description of words(stage, we)) expect(description).toMatchObject({ sdp: "", candidates: [] });
    },
  },
  {
    name: "the keys that we connect to come in, for as long as we call",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const blocked = chance.yes();
      const [we, they] = [stage.start(ours, { agent: { blocked } }), stage.start(theirs)];
      const stop = new AbortController();
      const call = we.call(they, { signal: stop.signal });
      const called = they.call(we);
      called.catch(() => {});
      if (!blocked) {
        const sessions = await stage.clock.runUntil(Promise.all([call, called]));
        expect(sessions.map(({ state }) => state)).toEqual(["connected", "connected"]);
        return;
      }
      await stage.clock.advance(chance.integer(300, 3_000));
      expect(doings(we)).not.toEqual([]);
      stop.abort(new Error("enough"));
      await stage.clock.runUntil(rejectionOf(call));
      await stage.clock.advance(30_000);
      expect(we.agent.open).toBe(0);
    },
  },
  {
    name: "the timeline is bounded, and explain tells of a session what it is",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [we, they] = [stage.start(ours), stage.start(theirs, everybody)];
      const session = await stage.clock.runUntil(we.call(they));
      expect(session.explain().code).toBe("connected");
      const { agent } = chance.pick([we, they]);
      for (let i = 0; i < 60; i++) {
        agent.connections[0]?.fail();
        await stage.clock.advance(3_000);
      }
      expect(session.state).toBe("connected");
      expect(session.timeline()).toHaveLength(256);
      stage.paths.setUp(false);
      await stage.clock.advance(20_000);
      expect(session.explain().code).toBe("reconnecting");
    },
  },
];
