/** DESIGN 6, "cunīcu dialect": what there is for daemons, between two peers that are none. */

import { type Clock, createBackend, createPeer, type Peer, type PrivateKey } from "@wice/core";
import { createCunicuDialect } from "@wice/core/dialect";
import { createSeededRandom, createVirtualClock } from "@wice/core/testing";
import { expect, test } from "vitest";
import { createWire } from "../session/model/wire.ts";
import { createFakeNetwork } from "../session/support/fake-agent.ts";
import { makeKeys } from "../session/support/stage.ts";

const keys = makeKeys();

test.each([0, 1] as const)(
  "who finds no path, and is number %i, waits without keeping the machine busy",
  async (caller) => {
    const virtual = createVirtualClock();
    let timers = 0;
    const clock: Clock = {
      now: virtual.now,
      schedule(delayMs, callback) {
        timers += 1;
        if (timers > 20_000) throw new Error("timers without end");
        return virtual.schedule(delayMs, callback);
      },
    };
    const random = createSeededRandom(1);
    const wire = createWire(virtual, random);
    const paths = createFakeNetwork(clock);
    paths.setUp(false);
    const open = (privateKey: PrivateKey): Peer => {
      const backend = createBackend(wire.connect(), { clock, random: random.bytes });
      const agents = [paths.agent({ name: "datagram", dialect: createCunicuDialect("datagram") })];
      return createPeer({ ...{ privateKey, backend, agents, clock, random: random.bytes }, accept: () => true });
    };
    const [ours, theirs] = caller === 0 ? keys : ([keys[1], keys[0]] as const);
    open(theirs);
    const peer = open(ours);
    const giveUp = new AbortController();
    const calling = peer.connect(theirs.publicKey, { signal: giveUp.signal }).catch(() => {});
    await virtual.advance(10_000);
    timers = 0;
    await virtual.advance(60_000);
    expect(timers).toBeLessThan(1_000);
    giveUp.abort();
    await calling;
  },
);
