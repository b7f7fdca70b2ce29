/** DESIGN 6, "Agents", and "Protection" as far as sessions tell it. */

import type { Agent, AgentName } from "@wice/core";
import { describe, expect, test } from "vitest";
import { type ActorOptions, createStage, makeKeys, type Stage } from "../support/stage.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;

const having = (stage: Stage, ...names: AgentName[]): ActorOptions => ({
  peer: { accept: () => true },
  agents: () => names.map((name): Agent => stage.paths.agent({ name })),
});

describe.each(roles)("the caller is the %s one", (role) => {
  test("its description lists its agents, by preference", async () => {
    const stage = createStage(keys);
    const caller = stage.start(role, having(stage, "datagram", "rtc"));
    const called = stage.start(other[role], having(stage, "rtc", "datagram"));
    await stage.clock.runUntil(caller.call(called));
    for (const { description } of stage.saidBy(caller)) expect(description.agents).toEqual(["datagram", "rtc"]);
    for (const { description } of stage.saidBy(called)) expect(description.agents).toEqual(["rtc", "datagram"]);
    await stage.end();
  });

  test.each([
    [["datagram", "rtc"], ["rtc", "datagram"], "datagram"],
    [["rtc", "datagram"], ["datagram", "rtc"], "rtc"],
    [["datagram", "rtc"], ["rtc"], "rtc"],
    [["rtc"], ["datagram", "rtc"], "rtc"],
  ] as const)(
    "the first of the controlling one's that both have is used: %o and %o use %s",
    async (controlling, controlled, used) => {
      const stage = createStage(keys);
      const lists = role === "controlling" ? [controlling, controlled] : [controlled, controlling];
      const caller = stage.start(role, having(stage, ...(lists[0] ?? [])));
      const called = stage.start(other[role], having(stage, ...(lists[1] ?? [])));
      const session = await stage.clock.runUntil(caller.call(called));
      expect(session.agent).toBe(used);
      await stage.clock.advance(100);
      expect(called.incoming[0]?.agent).toBe(used);
      await stage.end();
    },
  );

  test("without one that both have there is no session, and both can say why", async () => {
    const stage = createStage(keys);
    const caller = stage.start(role, having(stage, "rtc"));
    const called = stage.start(other[role], having(stage, "datagram"));
    caller.call(called).catch(() => {});
    await stage.clock.advance(20_000);
    expect(caller.peer.explain(called.key.publicKey).code).toBe("no-common-agent");
    expect(called.peer.explain(caller.key.publicKey).code).toBe("no-common-agent");
    await stage.end();
  });

  test("the session says how the path is protected", async () => {
    const stage = createStage(keys);
    const caller = stage.start(role, having(stage, "rtc"));
    const session = await stage.clock.runUntil(caller.call(stage.start(other[role], having(stage, "rtc"))));
    expect(session.protection).toBe("dtls");
    await stage.end();
  });

  test("the fingerprint travels inside the box: no envelope shows the description to who carries it", async () => {
    const stage = createStage(keys);
    const caller = stage.start(role, having(stage, "rtc"));
    await stage.clock.runUntil(caller.call(stage.start(other[role], having(stage, "rtc"))));
    expect(stage.wire.said.some(({ description }) => description.sdp.startsWith("v=0"))).toBe(true);
    for (const { body } of stage.wire.envelopes) expect(new TextDecoder("latin1").decode(body)).not.toContain("v=0");
    await stage.end();
  });
});
