/** What a peer may say that no honest one does: bounded work, a typed error, and nothing that reaches the application. */

import type { Candidate } from "@wice/core";
import { isWiceError, rtc } from "@wice/core";
import { type AgentPair, createAgentPair, createSeededRandom } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { type ImplementationName, load } from "./support/implementations.ts";
import { mutateSdp } from "./support/mutate-sdp.ts";
import { spyOn } from "./support/spied.ts";

const candidate: Candidate = {
  ...{ foundation: "9", component: 1, protocol: "udp", priority: 1, address: "192.0.2.99", port: 9 },
  ...{ type: "host", tcpType: undefined, related: undefined },
};
/** What the wire lets through, and ICE may stumble over. */
const addresses = ["0.0.0.0", "255.255.255.255", "999.1.1.1", "::", "fe80::1%eth0", "...", "-", "1", "no-such.invalid"];
const odd = addresses.flatMap((address, index): Candidate[] => [
  { ...candidate, address, port: 0 },
  { ...candidate, address, port: 65_535, component: 256, type: "relay", related: { address: "x", port: index } },
  { ...candidate, address, protocol: "tcp", tcpType: "so", priority: 2 ** 31 - 1, type: "prflx" },
]);

describe.each(["node-datachannel", "werift"] as const)("an agent over %s", (name) => {
  test("gives no more than 64 candidates to ICE, however many a peer has, and wherever it puts them", async () => {
    const { pair, candidates } = await createPair(name);
    const { one, two } = pair;
    const thousands = Array.from({ length: 5_000 }, (_, port) => ({ ...candidate, port }));
    two.connection.addCandidates(thousands);
    const offer = await one.connection.offer({ restart: false });
    const line = "a=candidate:9 1 udp 1 192.0.2.99 9 typ host\r\n";
    const answer = await two.connection.answer({ ...offer, sdp: offer.sdp + line.repeat(1_000) });
    two.connection.addCandidates(thousands);
    expect(candidates()).toBe(64);
    await one.connection.accept(answer);
    one.connection.addCandidates(thousands);
    expect(candidates()).toBe(128);
    pair.close();
  });

  test("stands descriptions that were tampered with, and candidates that lead nowhere", async () => {
    const seed = Number(process.env.WICE_SEED ?? Math.floor(Math.random() * 2 ** 32));
    const random = createSeededRandom(seed);
    for (let round = 0; round < 25; round += 1) {
      const { pair } = await createPair(name);
      const { one, two } = pair;
      const offer = await one.connection.offer({ restart: false });
      await outcome(seed, two.connection.answer(mutateSdp(offer, random)));
      two.connection.addCandidates(odd);
      const answer = await two.connection.answer(offer).catch(() => offer);
      await outcome(seed, one.connection.accept(mutateSdp(answer, random)));
      one.connection.addCandidates(odd);
      pair.close();
    }
  });
});

async function createPair(name: ImplementationName): Promise<{ pair: AgentPair; candidates: () => number }> {
  const { RTCPeerConnection, candidates } = spyOn(await load(name));
  const agent = rtc({ RTCPeerConnection });
  return { pair: createAgentPair(agent, agent), candidates };
}

/** It is taken or refused, or takes long, which the session does not wait for. */
async function outcome(seed: number, promise: Promise<unknown>): Promise<void> {
  const late = new Promise<void>((resolve) => setTimeout(resolve, 500));
  const refused = (error: unknown): void => {
    const isTyped = ["invalid-message", "unsupported", "closed"].some((code) => isWiceError(error, code as never));
    if (!isTyped) throw new Error(`seed ${seed}`, { cause: error });
  };
  await Promise.race([promise.then(() => {}, refused), late]);
}
