/** libdatachannel has threads of its own: connections begin and end while ours is busy, and all is heard of afterwards. */

import { type AgentPair, createAgentPair } from "@wice/core/testing";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { forgeAnswer } from "./support/forge.ts";
import { agentOf } from "./support/implementations.ts";

/** DTLS sends its first flight again after a second, where it was lost. */
const handshakeMs = 1_500;

describe("while our thread is busy", () => {
  let pair: AgentPair;
  beforeEach(async () => {
    const agent = await agentOf("node-datachannel");
    pair = createAgentPair(agent, agent);
    onTestFinished(() => pair.close());
  });

  test("a connection with another certificate fails, and is called forged", async () => {
    await pair.negotiate({ alter: forgeAnswer });
    await bothHaveCandidates();
    hang(handshakeMs);
    await pair.one.until(() => pair.one.connection.state === "failed");
    expect(pair.one.failures.map(({ code }) => code)).toEqual(["forged"]);
    expect([...pair.one.states, ...pair.two.states]).not.toContain("connected");
  });

  test("a peer that connects and closes is not taken for a forger", async () => {
    await pair.negotiate();
    await bothHaveCandidates();
    hang(handshakeMs);
    pair.two.connection.close();
    hang(500);
    await pair.one.until(() => pair.one.connection.state === "closed");
    expect(pair.one.failures).toEqual([]);
  });

  async function bothHaveCandidates(): Promise<void> {
    await Promise.all([pair.one, pair.two].map((end) => end.until(() => end.candidates.length > 0)));
  }
});

function hang(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}
