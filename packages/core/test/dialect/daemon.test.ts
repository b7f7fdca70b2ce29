/** DESIGN 6, "cunīcu dialect": a peer that is a daemon of today. */

import {
  type Agent,
  type Clock,
  createBackend,
  createPeer,
  decodeMessage,
  type Envelope,
  open,
  type Peer,
  type PrivateKey,
  type Session,
  WiceError,
} from "@wice/core";
import { createCunicuDialect } from "@wice/core/dialect";
import { createSeededRandom, createVirtualClock, type VirtualClock } from "@wice/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createWire, type Wire } from "../session/model/wire.ts";
import { createFakeNetwork, type FakeAgent, type FakeNetwork } from "../session/support/fake-agent.ts";
import { makeKeys } from "../session/support/stage.ts";
import { type FakeDaemon, startDaemon } from "./support/fake-daemon.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const boundMs = 60_000;

interface Place {
  readonly clock: VirtualClock;
  readonly wire: Wire;
  readonly paths: FakeNetwork;
  /** What daemons have said. */
  readonly recorded: readonly Envelope[];
  daemon(loses?: (index: number) => boolean): FakeDaemon;
  we(options?: OurOptions): Ours;
}

interface OurOptions {
  readonly accept?: boolean;
  readonly loses?: (index: number) => boolean;
  /** Agents that we prefer to the one that speaks with daemons. */
  readonly before?: readonly Agent[];
}

interface Ours {
  readonly peer: Peer;
  readonly agent: FakeAgent;
  readonly sessions: readonly Session[];
  call(): Promise<Session>;
}

function createPlace(role: "controlling" | "controlled", seed = 1): Place {
  const clock = createVirtualClock();
  const random = createSeededRandom(seed);
  const wire = createWire(clock, random);
  const paths = createFakeNetwork(clock);
  const [ours, theirs] = role === "controlling" ? keys : ([keys[1], keys[0]] as const);
  const recorded: Envelope[] = [];
  const agent = () => paths.agent({ name: "datagram", canRestart: false, dialect: createCunicuDialect("datagram") });

  return {
    ...{ clock, wire, paths, recorded },
    daemon(loses) {
      const inner = wire.connect();
      const transport = {
        ...inner,
        publish(...[envelope, options]: Parameters<typeof inner.publish>) {
          recorded.push(envelope);
          return inner.publish(envelope, options);
        },
      };
      return startDaemon({
        ...{ key: theirs, theirs: ours.publicKey, transport, agent: agent(), clock, random },
        ...(loses !== undefined && { loses }),
      });
    },
    we({ accept = false, loses = () => false, before = [] } = {}) {
      const inner = wire.connect();
      let sent = 0;
      const transport = {
        ...inner,
        async publish(...[envelope, options]: Parameters<typeof inner.publish>) {
          sent += 1;
          return loses(sent - 1) ? {} : inner.publish(envelope, options);
        },
      };
      const backend = createBackend(transport, { clock, random: random.bytes });
      const mine = agent();
      const peer = createPeer({
        ...{ privateKey: ours, backend, agents: [...before, mine], clock, random: random.bytes, accept: () => accept },
      });
      const sessions: Session[] = [];
      const hold = (session: Session): void => {
        if (!sessions.includes(session)) sessions.push(session);
      };
      void (async () => {
        for await (const session of peer.incoming) hold(session);
      })();
      return {
        ...{ peer, agent: mine, sessions },
        async call() {
          const session = await peer.connect(theirs.publicKey);
          hold(session);
          return session;
        },
      };
    },
  };
}

function keyOf({ recipient }: Envelope): PrivateKey {
  return keys.find(({ publicKey }) => publicKey.equals(recipient)) as PrivateKey;
}

async function until(clock: VirtualClock, isSo: () => boolean, withinMs = boundMs): Promise<number> {
  const startMs = clock.now();
  while (!isSo()) {
    if (clock.now() - startMs > withinMs) throw new Error(`not within ${withinMs} ms`);
    await clock.advance(100);
  }
  return clock.now() - startMs;
}

async function converse(clock: Clock & VirtualClock, session: Session, daemon: FakeDaemon): Promise<void> {
  const text = `at ${clock.now()}`;
  await session.send(new TextEncoder().encode(text));
  await until(clock, () => daemon.heard.includes(text));
}

describe.each(roles)("we are the %s one", (role) => {
  test.each(["first", "after us"])("a daemon that starts %s is connected, when we call", async (when) => {
    const { clock, we, daemon } = createPlace(role);
    const early = when === "first" ? daemon() : undefined;
    await clock.advance(10_000);
    const ours = we();
    const calling = ours.call();
    await clock.advance(early === undefined ? 20_000 : 0);
    const they = early ?? daemon();
    const session = await clock.runUntil(calling);
    expect(session).toMatchObject({ agent: "datagram", state: "connected" });
    await converse(clock, session, they);
    expect(they.restarts).toBe(1);
  });

  test("a daemon is let in by accept, and nobody else", async () => {
    const open = createPlace(role);
    const ours = open.we({ accept: true });
    open.daemon();
    await until(open.clock, () => ours.sessions.length === 1);

    const shut = createPlace(role);
    const mine = shut.we();
    shut.daemon();
    await shut.clock.advance(120_000);
    expect(mine.sessions).toEqual([]);
    expect(mine.agent.connections).toEqual([]);
  });

  test.each(Array.from({ length: 8 }, (_, index) => index))("its message %i may get lost", async (index) => {
    const { clock, we, daemon } = createPlace(role);
    const they = daemon((each) => each === index);
    const session = await clock.runUntil(we().call());
    await converse(clock, session, they);
  });

  test("our first message speaks both languages, and so does what repeats it", async () => {
    const { clock, we, wire } = createPlace(role);
    const ours = we();
    ours.call().catch(() => {});
    await clock.advance(3_000);
    const said = await Promise.all(
      wire.published.map(async ({ envelope }) => decodeMessage(await open(keyOf(envelope), envelope))),
    );
    expect(said.length).toBeGreaterThan(2);
    for (const { session, credentials, candidate } of said) {
      expect(session?.ufrag).toMatch(/./);
      expect(credentials).toMatchObject({ needCreds: true, ufrag: expect.stringMatching(/./) });
      expect(credentials?.ufrag).not.toBe(session?.ufrag);
      expect(candidate).toBeUndefined();
    }
    await ours.peer.close();
  });

  test("a daemon is called though the agent that we prefer has nothing to say", async () => {
    const { clock, paths, we, daemon } = createPlace(role);
    const they = daemon();
    const broken = paths.agent({ broken: () => new WiceError("unsupported", "no such agent here") });
    const session = await clock.runUntil(we({ before: [broken] }).call());
    expect(clock.now()).toBeLessThan(5_000);
    await converse(clock, session, they);
  });

  test("all its credentials may get lost, those of its only answer as well", async () => {
    const { clock, we, daemon } = createPlace(role);
    const they = daemon((each) => each < 2);
    const session = await clock.runUntil(we().call());
    expect(clock.now()).toBeLessThan(5_000);
    await converse(clock, session, they);
  });

  test("so may those after it has begun anew", async () => {
    const { clock, we, daemon } = createPlace(role);
    let isLost = true;
    const they = daemon(() => isLost);
    const calling = we().call();
    await clock.advance(35_000);
    isLost = false;
    const session = await clock.runUntil(calling);
    expect(clock.now()).toBeLessThan(60_000);
    await converse(clock, session, they);
  });

  test.each(Array.from({ length: 8 }, (_, index) => index))("our message %i may get lost", async (index) => {
    const { clock, we, daemon } = createPlace(role);
    const they = daemon();
    const session = await clock.runUntil(we({ loses: (each) => each === index }).call());
    await converse(clock, session, they);
  });

  test("a daemon may begin all over five times, and the session goes on each time", async () => {
    const { clock, we, daemon } = createPlace(role);
    const they = daemon();
    const ours = we();
    const session = await clock.runUntil(ours.call());
    for (let i = 0; i < 5; i++) {
      const { restarts } = they;
      they.restart();
      await until(clock, () => they.restarts > restarts && they.state === "connected" && session.state === "connected");
      await converse(clock, session, they);
    }
    expect(ours.sessions).toEqual([session]);
    expect(ours.agent.open).toBe(1);
  });

  test("we may be restarted five times", async () => {
    const { clock, we, daemon } = createPlace(role);
    const they = daemon();
    for (let i = 0; i < 5; i++) {
      const ours = we();
      const session = await clock.runUntil(ours.call());
      await converse(clock, session, they);
      ours.agent.kill();
      await Promise.race([ours.peer.close(), clock.advance(10_000)]);
    }
  });

  test("what a daemon has said before, sent again, ends nothing", async () => {
    const { clock, we, daemon, wire, recorded } = createPlace(role);
    const they = daemon();
    const ours = we();
    await clock.runUntil(ours.call());
    they.restart();
    const session = ours.sessions[0] as Session;
    await clock.advance(5_000);
    await until(clock, () => session.state === "connected" && they.state === "connected");
    const statuses: string[] = [];
    void (async () => {
      for await (const { type } of session.status()) statuses.push(type);
    })();
    // Only what is for us: a daemon has no defence of its own.
    for (const envelope of recorded) await wire.connect().publish(envelope);
    await clock.advance(60_000);
    await converse(clock, session, they);
    expect(statuses).toEqual([]);
  });

  test("two that are wice get their session, and no daemon is looked for any more", async () => {
    const { clock, we, paths } = createPlace(role);
    const other = createPlace(role);
    expect(other.paths).not.toBe(paths);
    const ours = we();
    const calling = ours.call().catch(() => {});
    await clock.advance(60_000);
    expect(ours.agent.open).toBeLessThanOrEqual(2);
    await ours.peer.close();
    await calling;
  });
});

test("through any weather", { timeout: 120_000 }, async () => {
  const seed = Number(process.env.WICE_SEED ?? 7);
  const step = fc.oneof(
    fc.noBias(fc.integer({ min: 0, max: 30_000 })).map((ms) => ({ do: "wait" as const, ms })),
    fc.constantFrom("restart", "fail", "network", "calm", "connect").map((what) => ({ do: what, ms: 0 })),
    fc.noBias(fc.integer({ min: 0, max: 60 })).map((loss) => ({ do: "loss" as const, ms: loss })),
  );
  const property = fc.asyncProperty(
    fc.constantFrom(...roles),
    fc.nat(),
    fc.array(step, { maxLength: 15, size: "max" }),
    async (role, chance, steps) => {
      const { clock, wire, we, daemon } = createPlace(role, chance);
      const they = daemon();
      const ours = we({ accept: true });
      let calling: Promise<unknown> = ours.call().catch(() => {});
      for (const { do: what, ms } of steps) {
        if (what === "wait") await clock.advance(ms);
        if (what === "restart") they.restart();
        if (what === "fail") ours.agent.connections.at(-1)?.fail();
        if (what === "loss") wire.inject({ loss: ms / 100, duplication: 0.2, delayMs: [0, 300] });
        if (what === "calm") wire.inject({});
        if (what === "connect") calling = ours.call().catch(() => {});
        await clock.advance(0);
      }
      wire.inject({});
      const isGood = (): boolean =>
        they.state === "connected" && ours.sessions.filter(({ state }) => state === "connected").length === 1;
      await until(clock, isGood, 180_000);
      await clock.advance(30_000);
      expect(isGood()).toBe(true);
      await converse(clock, ours.sessions.find(({ state }) => state === "connected") as Session, they);
      await clock.runUntil(ours.peer.close());
      await calling;
      they.vanish();
    },
  );
  await fc.assert(property, { seed, numRuns: Number(process.env.WICE_SCHEDULES ?? 300) });
});
