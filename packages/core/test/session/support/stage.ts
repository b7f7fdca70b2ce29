/** Two keys, and as many processes of each as a test wants, with everything between them under its control. */

import {
  type Agent,
  type Backend,
  createBackend,
  createPeer,
  generatePrivateKey,
  type Peer,
  type PeerOptions,
  type PrivateKey,
  type Session,
} from "@wice/core";
import { createSeededRandom, createVirtualClock, type VirtualClock } from "@wice/core/testing";
import { createCountingX25519 } from "../../support/counting-x25519.ts";
import { createFakeNetwork, type FakeAgent, type FakeAgentOptions, type FakeNetwork } from "./fake-agent.ts";
import { createMortalClock } from "./mortal-clock.ts";
import { createOverheard, type Overheard, type Said } from "./overheard.ts";

export interface Stage {
  readonly clock: VirtualClock;
  readonly paths: FakeNetwork;
  readonly wire: Overheard;
  /** Of two keys, the smaller one is controlling. */
  start(role: "controlling" | "controlled", options?: ActorOptions): Actor;
  /** What a key has said, of all its processes. */
  saidBy(actor: Actor): readonly Said[];
  /** Lets everything end, and tells what is left: connections, timers. */
  end(): Promise<{ readonly connections: number; readonly timers: number }>;
}

export interface ActorOptions {
  readonly peer?: Partial<PeerOptions>;
  readonly agent?: FakeAgentOptions;
  /** Something around the agent, or more of them. */
  readonly agents?: (agent: FakeAgent) => readonly Agent[];
}

/** One process. */
export interface Actor {
  readonly key: PrivateKey;
  readonly peer: Peer;
  readonly backend: Backend;
  readonly agent: FakeAgent;
  /** Sessions that others have begun. */
  readonly incoming: readonly Session[];
  /** Sessions that are not closed. */
  readonly sessions: readonly Session[];
  call(whom: Actor, options?: { readonly signal?: AbortSignal }): Promise<Session>;
  changeNetwork(): void;
  /** The process is gone, without a word. */
  vanish(): void;
}

/** Keys are slow to agree on: two, the smaller one first, for a whole file. */
export function makeKeys(seed = 1): readonly [PrivateKey, PrivateKey] {
  const { bytes } = createSeededRandom(seed);
  const x25519 = createCountingX25519();
  const keys = [generatePrivateKey({ random: bytes, x25519 }), generatePrivateKey({ random: bytes, x25519 })];
  return keys.toSorted((a, b) => a.publicKey.compare(b.publicKey)) as [PrivateKey, PrivateKey];
}

export function createStage(keys: readonly [PrivateKey, PrivateKey], seed = 1): Stage {
  const clock = createVirtualClock();
  const random = createSeededRandom(seed);
  const paths = createFakeNetwork(clock);
  const wire = createOverheard(keys, clock.now);
  const actors: { readonly actor: Actor; gone: boolean }[] = [];

  return {
    clock,
    paths,
    wire,
    start(role, { peer: options = {}, agent: agentOptions = {}, agents = justOne } = {}) {
      const key = keys[role === "controlling" ? 0 : 1];
      const mortal = createMortalClock(clock);
      const transport = wire.connect();
      const backend = createBackend(transport, { clock: mortal.clock, random: random.bytes });
      const agent = paths.agent(agentOptions);
      let networkChanged = (): void => {};
      const peer = createPeer({
        ...{ privateKey: key, backend, agents: agents(agent), clock: mortal.clock, random: random.bytes },
        watchNetwork(onChange) {
          networkChanged = onChange;
          return () => {};
        },
        ...options,
      });
      const incoming: Session[] = [];
      const answer = async (): Promise<void> => {
        for await (const session of peer.incoming) incoming.push(session);
      };
      answer().catch(() => {});
      const actor: Actor = {
        ...{ key, peer, backend, agent, incoming },
        get sessions() {
          return peer.sessions();
        },
        call: (whom, callOptions) => peer.connect(whom.key.publicKey, callOptions),
        changeNetwork: () => networkChanged(),
        vanish() {
          const entry = actors.find((each) => each.actor === actor);
          if (entry !== undefined) entry.gone = true;
          mortal.stop();
          agent.kill();
          transport.kill();
        },
      };
      actors.push({ actor, gone: false });
      return actor;
    },
    saidBy: ({ key }) => wire.said.filter(({ from }) => from.equals(key.publicKey)),
    async end() {
      wire.passes = () => true;
      wire.down = false;
      paths.setUp(true);
      const left = actors.filter(({ gone }) => !gone).map(({ actor }) => actor);
      await clock.runUntil(Promise.all(left.map(({ peer }) => peer.close())));
      await clock.runUntil(Promise.all(left.map(({ backend }) => backend.close())));
      const { open: connections } = paths;
      await clock.advance(60_000);
      return { connections, timers: clock.pending };
    },
  };
}

export const everybody: ActorOptions = { peer: { accept: () => true } };

export const text = {
  encode: (words: string): Uint8Array => new TextEncoder().encode(words),
  decode: (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes),
};

/** What comes over a session, in a list that grows. */
export function listenTo(session: Session): readonly string[] {
  const heard: string[] = [];
  const listen = async (): Promise<void> => {
    for await (const bytes of session) heard.push(text.decode(bytes));
  };
  listen().catch(() => {});
  return heard;
}

/** What a session tells of itself, in a list that grows. */
export function watch(session: Session): readonly string[] {
  const seen: string[] = [];
  const look = async (): Promise<void> => {
    for await (const { type } of session.status()) seen.push(type);
  };
  void look();
  return seen;
}

function justOne(agent: FakeAgent): readonly Agent[] {
  return [agent];
}
