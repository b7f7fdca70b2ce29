import {
  createBackend,
  createInProcessNetwork,
  createPeer,
  generatePrivateKey,
  type Peer,
  type Session,
} from "@wice/core";
import { createVirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { createFakeNetwork } from "./support/fake-agent.ts";

function scene() {
  const clock = createVirtualClock();
  const paths = createFakeNetwork(clock);
  const signaling = createInProcessNetwork();
  const make = (options: Partial<Parameters<typeof createPeer>[0]> = {}) => {
    const privateKey = options.privateKey ?? generatePrivateKey();
    const backend = createBackend(signaling.connect(), { clock });
    const agent = paths.agent();
    return {
      privateKey,
      backend,
      agent,
      peer: createPeer({ privateKey, backend, agents: [agent], clock, ...options }),
    };
  };
  return { clock, paths, make };
}

const bytes = (text: string) => new TextEncoder().encode(text);
const next = async (session: Session) => {
  const { value } = await session[Symbol.asyncIterator]().next();
  return new TextDecoder().decode(value);
};
const first = async (peer: Peer) => (await peer.incoming[Symbol.asyncIterator]().next()).value as Session;

describe("two peers", () => {
  test.each(["controlling", "controlled"])("connect when the %s one calls, and talk both ways", async (role) => {
    const { clock, paths, make } = scene();
    const all = [make({ accept: () => true }), make({ accept: () => true })];
    const [small, large] = all.toSorted((a, b) => a.privateKey.publicKey.compare(b.privateKey.publicKey));
    const [caller, called] = role === "controlling" ? [small, large] : [large, small];
    if (caller === undefined || called === undefined) throw new Error("two peers");
    const [one, two] = await clock.runUntil(
      Promise.all([caller.peer.connect(called.privateKey.publicKey), first(called.peer)]),
    );
    await clock.runUntil(one.send(bytes("hello")));
    expect(await clock.runUntil(next(two))).toBe("hello");
    await clock.runUntil(two.send(bytes("you")));
    expect(await clock.runUntil(next(one))).toBe("you");
    expect([one.state, two.state, one.role]).toEqual(["connected", "connected", role]);
    expect(one.explain().code).toBe("connected");
    await clock.runUntil(one.close());
    expect(await clock.runUntil(two.closed)).toMatchObject({ cause: "closed-by-peer" });
    await clock.runUntil(Promise.all([caller.peer.close(), called.peer.close()]));
    await clock.runUntil(Promise.all([caller.backend.close(), called.backend.close()]));
    expect(paths.open).toBe(0);
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
  });
});
