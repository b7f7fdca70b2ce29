/** Defects of what `explain()` says that were mended once: named for what a user saw. */

import { type Backend, createBackend, createPeer, type Peer, type PrivateKey, WiceError } from "@wice/core";
import { createCunicuDialect } from "@wice/core/dialect";
import { createSeededRandom, createVirtualClock } from "@wice/core/testing";
import { expect, test } from "vitest";
import { createAttempt } from "../../../src/session/attempt-state.ts";
import { daemonInstance } from "../../../src/session/dialect.ts";
import { createInBandSeal } from "../../../src/session/in-band-seal.ts";
import { createPartings } from "../../../src/session/partings.ts";
import { createAttemptRunner } from "../../../src/session/run-attempts.ts";
import { createWire } from "../model/wire.ts";
import { createFakeNetwork } from "../support/fake-agent.ts";
import { makeKeys } from "../support/stage.ts";

const keys = makeKeys();

test.each([0, 1] as const)("nobody was heard who may be a daemon and says nothing, to number %i", async (caller) => {
  const clock = createVirtualClock();
  const random = createSeededRandom(1);
  const wire = createWire(clock, random);
  const paths = createFakeNetwork(clock);
  const open = (privateKey: PrivateKey): Peer => {
    const backend = createBackend(wire.connect(), { clock, random: random.bytes });
    const agents = [paths.agent({ name: "datagram", dialect: createCunicuDialect("datagram") })];
    // Those who call are declined in silence.
    return createPeer({ privateKey, backend, agents, clock, random: random.bytes, accept: () => false });
  };
  const [ours, theirs] = caller === 0 ? keys : ([keys[1], keys[0]] as const);
  open(theirs);
  const peer = open(ours);
  const giveUp = new AbortController();
  const calling = peer.connect(theirs.publicKey, { signal: giveUp.signal }).catch(() => {});
  await clock.advance(5_000);
  expect(peer.explain(theirs.publicKey)).toMatchObject({ code: "not-heard" });
  giveUp.abort();
  await calling;
});

test("a message to a daemon that has left is not the one that the backend tries again to hand over", async () => {
  const clock = createVirtualClock();
  const [ours, theirs] = keys;
  const pair = { ours, theirs: theirs.publicKey };
  const said: unknown[] = [];
  const backend = {
    async publish(...[, message]: Parameters<Backend["publish"]>) {
      said.push(message);
      return { subscribers: 1 };
    },
  } as unknown as Backend;
  const runner = createAttemptRunner({
    ...{ pair, role: "controlling", backend, agents: [], clock, partings: createPartings() },
    seal: createInBandSeal(pair, createSeededRandom(1).bytes),
    listening: async () => {},
    note() {},
    tell() {},
    onInBand() {},
    onConnected() {},
    onChannel() {},
    onConsumed() {},
    onResume() {},
  });
  const attempt = createAttempt(
    { nowMs: 0, freshId: "ab".repeat(16) },
    { instance: daemonInstance, grounds: "call", urgent: false, daemon: undefined },
  );
  const credentials = { ufrag: "u".repeat(16), pwd: "p".repeat(32), needCredentials: true };
  const refusal = new WiceError("unavailable", "the relay is gone");
  runner.run(attempt, { type: "speak", credentials, candidates: [] });
  runner.onRetrying(refusal);
  expect(runner.encounters(attempt.id)?.sendError).toBe(refusal);
  await clock.advance(1_000);
  expect(said).toHaveLength(1);
  expect(runner.encounters(attempt.id)?.sendError).toBeUndefined();
  runner.onRetrying(refusal);
  expect(runner.encounters(attempt.id)?.sendError).toBeUndefined();
});
