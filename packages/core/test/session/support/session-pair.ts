/** Two sessions over fake connections, without the state machine: connections are replaced, and sides restart, when a test says so. */

import type { Clock, Session, SessionEnd } from "@wice/core";
import { generatePrivateKey } from "@wice/core";
import { createSession, type OwnedSession } from "../../../src/session/create-session.ts";
import { connectAgent, type LiveConnection } from "../../../src/session/live-connection.ts";
import { createTimeline } from "../../../src/session/timeline.ts";
import { connected } from "../../../src/session/verdict.ts";
import { createFakeNetwork, type FakeAgent, type FakeAgentOptions } from "./fake-agent.ts";

export interface SessionPair {
  readonly ends: readonly [PairEnd, PairEnd];
  /** Connections that are not closed. */
  readonly open: number;
  /** Resolves when both have a session: each so much after it could. */
  connect(lateMs?: readonly [number, number]): Promise<void>;
  /** The path dies at once, and with it what is under way; another connection takes its place. `lateMs` for each end. */
  replace(lateMs?: readonly [number, number]): Promise<void>;
  /** One end is a new process; the session of the other moves to it. */
  restart(index: 0 | 1): Promise<void>;
  cut(): void;
}

export interface PairEnd {
  /** The present one. */
  readonly session: Session;
  readonly owned: OwnedSession;
  readonly agent: FakeAgent;
  /** Reasons with which the application has ended sessions. */
  readonly closes: readonly string[];
  end(end: SessionEnd): void;
}

interface Side extends PairEnd {
  owned: OwnedSession;
  session: Session;
  /** Which session the connections of an attempt belong to. */
  attempt: { owned: OwnedSession | undefined };
  lives: LiveConnection[];
  closes: string[];
}

export function createSessionPair(clock: Clock, options: FakeAgentOptions = {}): SessionPair {
  const network = createFakeNetwork(clock);
  const key = generatePrivateKey().publicKey;
  const roles = ["controlling", "controlled"] as const;

  const makeSide = (): Side => ({
    agent: network.agent(options),
    attempt: { owned: undefined },
    owned: undefined as unknown as OwnedSession,
    session: undefined as unknown as Session,
    lives: [],
    closes: [],
    end(end) {
      for (const live of this.lives) void live.closeSoon();
      this.owned.end(end);
    },
  });
  let giveUpMeeting = (): void => {};
  const sides: [Side, Side] = [makeSide(), makeSide()];

  const hold = (side: Side, live: LiveConnection, index: 0 | 1): void => {
    side.owned = createSession(live, "ab".repeat(16), {
      ...{ remote: key, role: roles[index], agent: "rtc", clock, timeline: createTimeline().entries },
      explain: () => connected,
      onClosing() {},
      async close(reason) {
        side.closes.push(reason);
        side.end({ cause: "closed", reason });
        sides[1 - index]?.end({ cause: "closed-by-peer", reason });
      },
      restart() {},
    });
    side.session = side.owned.session;
    side.attempt.owned = side.owned;
  };
  /** A connection of both, each handed over when it is there; resolves, too, when it is cut before that. */
  const meet = async (take: readonly [Take, Take]): Promise<void> => {
    const { promise: given, resolve: giveUp } = Promise.withResolvers<void>();
    giveUpMeeting = giveUp;
    const made: LiveConnection[] = [];
    const arrivals = sides.map((side, index) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const { attempt } = side;
      const live = connectAgent(
        side.agent,
        { role: roles[index as 0 | 1] },
        {
          onCandidate: (candidate) => made[1 - index]?.connection.addCandidates([candidate]),
          onCandidatesComplete() {},
          onState(state) {
            if (state === "connected") void take[index as 0 | 1](live).then(resolve);
          },
          onNegotiationNeeded() {},
          onServerError() {},
          onEnvelope() {},
          onChannel: (channel) => attempt.owned?.onChannel(channel),
          onConsumed: (channel, bytes) => attempt.owned?.onConsumed(channel, bytes),
          onResume: (messages) => attempt.owned?.onResume(messages),
        },
        clock,
      );
      made.push(live);
      side.lives.push(live);
      return promise;
    });
    const [one, other] = made as [LiveConnection, LiveConnection];
    const agree = async (): Promise<void> => {
      const offer = await one.connection.offer({ restart: false });
      await one.connection.accept(await other.connection.answer(offer));
    };
    // It is closed when it was cut.
    agree().catch(() => {});
    await Promise.race([Promise.all(arrivals), given]);
  };
  const later = (lateMs: number): Promise<void> =>
    new Promise((resolve) => {
      if (lateMs === 0) resolve();
      else clock.schedule(lateMs, resolve);
    });
  const cut = (): void => {
    giveUpMeeting();
    for (const { agent } of sides) for (const connection of agent.connections) connection.fail();
    for (const side of sides) for (const live of side.lives.splice(0)) void live.closeSoon();
  };

  return {
    ends: sides,
    cut,
    get open() {
      return network.open;
    },
    connect(lateMs = [0, 0]) {
      const take =
        (index: 0 | 1): Take =>
        async (live) => {
          await later(lateMs[index]);
          hold(sides[index], live, index);
        };
      return meet([take(0), take(1)]);
    },
    async replace(lateMs = [0, 0]) {
      cut();
      const carry =
        (index: 0 | 1): Take =>
        async (live) => {
          await later(lateMs[index]);
          // Another one may be on its way by now.
          if (sides[index].lives.includes(live)) sides[index].owned.carry(live);
        };
      await meet([carry(0), carry(1)]);
    },
    async restart(index) {
      cut();
      sides[index].owned.end({ cause: "lost", reason: "" });
      for (const side of sides) side.attempt = { owned: undefined };
      const take: Take[] = [];
      take[index] = async (live) => hold(sides[index], live, index);
      take[1 - index] = async (live) => {
        const side = sides[1 - index] as Side;
        side.attempt.owned = side.owned;
        side.owned.move(live, "cd".repeat(16));
      };
      await meet(take as [Take, Take]);
    },
  };
}

type Take = (live: LiveConnection) => Promise<void>;
