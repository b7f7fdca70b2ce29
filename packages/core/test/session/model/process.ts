/** One process of a key: a peer with its backend and agent, which can leave in order or vanish. */

import {
  type Clock,
  createBackend,
  createPeer,
  type Peer,
  type PrivateKey,
  type PublicKey,
  type Session,
} from "@wice/core";
import type { SeededRandom } from "@wice/core/testing";
import type { FakeAgent, FakeNetwork } from "../support/fake-agent.ts";
import { createTalk, type Talk } from "./talk.ts";
import type { Wire } from "./wire.ts";

export interface ProcessOptions {
  readonly accepts: "yes" | "no" | "tell";
  readonly canRestart: boolean;
  readonly canRollBack: boolean;
}

export interface Process extends ProcessOptions {
  readonly peer: Peer;
  readonly agent: FakeAgent;
  readonly instance: string;
  readonly state: "running" | "leaving" | "gone";
  /** Calls that wait. */
  readonly calls: ReadonlySet<Call>;
  /** All sessions that there were, in the order in which they came. */
  readonly talks: readonly Talk[];
  /** Those that it has called for. */
  readonly called: ReadonlySet<Session>;
  /** It has called, at some time. */
  readonly hasCalled: boolean;
  /** Errors of calls, by code. */
  readonly rejections: readonly string[];
  connect(): void;
  abort(): void;
  changeNetwork(): void;
  leave(): Promise<void>;
  vanish(): void;
}

interface Call {
  readonly stop: AbortController;
}

export interface Surroundings {
  readonly clock: Clock;
  readonly wire: Wire;
  readonly paths: FakeNetwork;
  readonly random: SeededRandom;
  nextTalk(): number;
}

export function startProcess(
  key: PrivateKey,
  theirs: PublicKey,
  options: ProcessOptions,
  { clock, wire, paths, random, nextTalk }: Surroundings,
): Process {
  const { accepts } = options;
  const mortal = createMortalClock(clock);
  const transport = wire.connect(random.bytes(4).join());
  const backend = createBackend(transport, { clock: mortal.clock, random: random.bytes });
  const agent = paths.agent({ ...options, gatherMs: [2, 20, 60] });
  let networkChanged = (): void => {};
  const peer = createPeer({
    ...{ privateKey: key, backend, agents: [agent], clock: mortal.clock, random: random.bytes },
    ...(accepts !== "no" && { accept: () => (accepts === "tell" ? "tell" : true) }),
    watchNetwork(onChange) {
      networkChanged = onChange;
      return () => {};
    },
  });
  let state: Process["state"] = "running";
  const calls = new Set<Call>();
  const talks: Talk[] = [];
  const called = new Set<Session>();
  let hasCalled = false;
  const rejections: string[] = [];

  const hold = (session: Session): void => {
    if (talks.some((talk) => talk.session === session)) return;
    talks.push(createTalk(nextTalk(), session));
  };
  const answer = async (): Promise<void> => {
    for await (const session of peer.incoming) hold(session);
  };
  answer().catch(() => {});

  return {
    ...options,
    instance: backend.instance,
    peer,
    agent,
    calls,
    talks,
    called,
    rejections,
    get state() {
      return state;
    },
    get hasCalled() {
      return hasCalled;
    },
    connect() {
      hasCalled = true;
      const call: Call = { stop: new AbortController() };
      calls.add(call);
      peer
        .connect(theirs, { signal: call.stop.signal })
        .then(
          (session) => {
            called.add(session);
            hold(session);
          },
          (error: { readonly code?: string }) => rejections.push(error.code ?? "aborted"),
        )
        .finally(() => calls.delete(call));
    },
    abort() {
      for (const call of calls) call.stop.abort();
    },
    changeNetwork: () => networkChanged(),
    async leave() {
      if (state !== "running") return;
      state = "leaving";
      await peer.close();
      await backend.close();
      state = "gone";
    },
    vanish() {
      state = "gone";
      mortal.stop();
      agent.kill();
      transport.kill();
    },
  };
}

/** Time that stops with the process. */
function createMortalClock(clock: Clock): { readonly clock: Clock; stop(): void } {
  const timers = new Set<ReturnType<Clock["schedule"]>>();
  let alive = true;
  return {
    clock: {
      now: clock.now,
      schedule(delayMs, callback) {
        if (!alive) return { cancel() {} };
        const timer = clock.schedule(delayMs, () => {
          timers.delete(timer);
          callback();
        });
        timers.add(timer);
        return {
          cancel() {
            timers.delete(timer);
            timer.cancel();
          },
        };
      },
    },
    stop() {
      alive = false;
      for (const timer of timers) timer.cancel();
      timers.clear();
    },
  };
}
