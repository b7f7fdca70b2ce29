/** What a peer says of whether it can be called, and what limits it takes. */

import { createBackend, createPeer, generatePrivateKey, type PeerOptions, type PeerStatus } from "@wice/core";
import { createVirtualClock } from "@wice/core/testing";
import { expect, test } from "vitest";
import { createFakeNetwork } from "./support/fake-agent.ts";
import { createStage, everybody, makeKeys } from "./support/stage.ts";

const keys = makeKeys();

/** All but what goes on with peers, in a list that grows. */
function watch(statuses: AsyncIterable<PeerStatus>): readonly string[] {
  const seen: string[] = [];
  const look = async (): Promise<void> => {
    for await (const { type } of statuses) if (type !== "peer") seen.push(type);
  };
  void look();
  return seen;
}

test.each([
  ["who may be called", everybody],
  ["who only calls", {}],
])("%s is told once that it listens, and again after a loss", async (_, options) => {
  const stage = createStage(keys);
  const [we, they] = [stage.start("controlling", options), stage.start("controlled", everybody)];
  const seen = watch(we.peer.status());
  await stage.clock.runUntil(we.call(they));
  await stage.clock.advance(1_000);
  expect(seen).toEqual(["listening"]);
  stage.wire.down = true;
  stage.wire.cut();
  await stage.clock.advance(30_000);
  stage.wire.down = false;
  await stage.clock.advance(120_000);
  expect(seen.filter((each, at) => each !== seen[at - 1])).toEqual(["listening", "deaf", "listening"]);
  expect(seen.at(-2)).toBe("deaf");
  await stage.end();
});

test.each([
  ["maxPeers", Number.NaN],
  ["maxPeers", -1],
  ["reconnectMs", Number.NaN],
  ["reconnectIncomingMs", -1],
])("%s of %d is refused", async (name, value) => {
  const options: Partial<PeerOptions> = { [name]: value };
  const [privateKey, clock] = [generatePrivateKey(), createVirtualClock()];
  const stage = createStage(keys);
  const backend = createBackend(stage.wire.connect(), { clock });
  const agents = [createFakeNetwork(clock).agent()];
  const make = (): unknown => createPeer({ privateKey, backend, agents, clock, ...options });
  expect(make).toThrow(expect.objectContaining({ code: "invalid-argument", message: expect.stringContaining(name) }));
  await backend.close();
});
