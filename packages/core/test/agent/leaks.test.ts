/** Closed at any moment, an agent leaves no RTCPeerConnection open, and no listener behind. */

import { type PeerConnectionLike, rtc } from "@wice/core";
import { type AgentPair, createAgentPair } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { load } from "./support/implementations.ts";
import { spyOn } from "./support/spied.ts";

/** How far two connections get before they are closed. What they were asked for is left to itself. */
const moments: Readonly<Record<string, (pair: AgentPair) => unknown>> = {
  "before anything": () => {},
  "while the first offer is made": ({ one }) => void one.connection.offer({ restart: false }).catch(() => {}),
  "with an offer": ({ one }) => one.connection.offer({ restart: false }),
  "while an answer is made": async ({ one, two }) => {
    const offer = await one.connection.offer({ restart: false });
    two.connection.answer(offer).catch(() => {});
  },
  "when both have described themselves": (pair) => pair.negotiate(),
  "when they are connected": async (pair) => {
    await pair.negotiate();
    await pair.connected();
    pair.one.connection.openChannel("further", {});
    await pair.two.until(() => pair.two.channels.length > 0);
  },
  "while a restart is prepared": async (pair) => {
    await pair.negotiate();
    await pair.connected();
    pair.one.connection.offer({ restart: true }).catch(() => {});
  },
  "when the other side has closed": async (pair) => {
    await pair.negotiate();
    await pair.connected();
    pair.two.connection.close();
    await pair.one.until(() => pair.one.connection.state === "closed");
  },
};

describe.each(["node-datachannel", "werift"] as const)("an agent over %s", (name) => {
  test.each(Object.keys(moments))("leaves nothing when it is closed %s", async (moment) => {
    const spied = spyOn(await load(name));
    const agent = rtc({ RTCPeerConnection: spied.RTCPeerConnection });
    const pair = createAgentPair(agent, agent);
    await moments[moment]?.(pair);
    pair.close();
    await new Promise<void>((resolve) => setTimeout(resolve));
    expect({ open: spied.open(), listeners: spied.listeners() }).toEqual({ open: 0, listeners: 0 });
  });

  test("leaves nothing when it is closed while the ICE servers are asked for", async () => {
    const spied = spyOn(await load(name));
    let asked = (): void => {};
    const asking = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const iceServers = async (): Promise<never> => {
      asked();
      return new Promise(() => {});
    };
    const agent = rtc({ RTCPeerConnection: spied.RTCPeerConnection, iceServers });
    const pair = createAgentPair(agent, agent);
    const offering = pair.one.connection.offer({ restart: false });
    await asking;
    pair.close();
    await expect(offering).rejects.toMatchObject({ code: "closed" });
    expect(spied.open()).toBe(0);
  });
});

test("an implementation whose close throws, or rejects, does not reach who closes", async () => {
  const Original = await load("node-datachannel");
  for (const close of [
    () => {
      throw new Error("as some do");
    },
    async () => {
      throw new Error("as others do");
    },
  ]) {
    const opened: (() => unknown)[] = [];
    const RTCPeerConnection = new Proxy(Original, {
      construct(Target, args: ConstructorParameters<typeof Original>): PeerConnectionLike {
        const pc = new Target(...args);
        opened.push(pc.close.bind(pc));
        return Object.assign(pc, { close });
      },
    });
    const agent = rtc({ RTCPeerConnection });
    const pair = createAgentPair(agent, agent);
    await pair.one.connection.offer({ restart: false });
    pair.close();
    expect(pair.one.connection.state).toBe("closed");
    for (const really of opened) really();
  }
});
