/** Runs the state machine of one remote key: carries its effects out, and tells it what comes of them. */

import type { Agent } from "../agent/agent.ts";
import type { Clock, Timer } from "../async/clock.ts";
import { onAbort } from "../async/signal.ts";
import type { Backend, Instance } from "../backend/backend.ts";
import { type RandomBytes, toHex } from "../bytes.ts";
import { asWiceError, WiceError } from "../errors.ts";
import type { KeyPair } from "../private-key.ts";
import { electRole } from "../role.ts";
import { createSession, type OwnedSession } from "./create-session.ts";
import type { Close, Description } from "./description.ts";
import type { DaemonSaid, Dialect } from "./dialect.ts";
import { type Circumstances, explain, explainAttempt, explainPath, explainSession } from "./explain.ts";
import { createInBandSeal } from "./in-band-seal.ts";
import { createPartings } from "./partings.ts";
import { peeringDeadline, stepPeering } from "./peering.ts";
import {
  createPeering,
  type EndCause,
  isIdle,
  type Peering,
  type PeeringContext,
  type PeeringEffect,
  type PeeringEvent,
  type Welcome,
} from "./peering-state.ts";
import { createAttemptRunner } from "./run-attempts.ts";
import type { Session } from "./session.ts";
import { createTimeline, describeInWords, type TimelineEntry, type TimelineEvent } from "./timeline.ts";
import { timing } from "./timing.ts";
import { idle, notHeard, over, type Verdict } from "./verdict.ts";

export interface PeeringDriver {
  /** Resolves with the session, once data can flow. Rejects with `permission-denied`, `closed`, and the signal's reason. */
  connect(signal: AbortSignal | undefined): Promise<Session>;
  /** A message of the peer's that holds a description. */
  receive(instance: Instance, description: Description, welcome: Welcome): void;
  /** A message of the peer's, which is a cunīcu daemon. */
  receiveFromDaemon(said: DaemonSaid, welcome: Welcome): void;
  sessions(): readonly Session[];
  explain(): Verdict;
  timeline(): readonly TimelineEntry[];
  /** What {@link PeeringDependencies.deaf} says has changed. */
  onDeaf(): void;
  /** The backend tries again to hand a message over. */
  onRetrying(error: WiceError): void;
  networkChanged(): void;
  /** Ends everything in order, each session as its own `close` does; resolves when the peer was told, or cannot be. */
  close(reason: string): Promise<void>;
}

export interface PeeringDependencies {
  readonly pair: KeyPair;
  readonly backend: Backend;
  readonly agents: readonly Agent[];
  readonly dialect: Dialect | undefined;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly reconnectMs: number;
  readonly reconnectIncomingMs: number;
  /** Resolves when what the peer answers will be heard. */
  listening(): Promise<void>;
  /** Why our key cannot be called now. */
  deaf(): WiceError | undefined;
  onIncoming(session: Session): void;
  onEntry(entry: TimelineEntry): void;
  /** Nothing goes on any more, for now. */
  onIdle(): void;
}

/** Somebody who waits for a session. */
interface Waiting {
  resolve(session: Session): void;
  reject(error: unknown): void;
}

export function drivePeering(dependencies: PeeringDependencies): PeeringDriver {
  const { pair, backend, agents, clock, random, dialect, reconnectMs, reconnectIncomingMs } = dependencies;
  const role = electRole(pair.ours.publicKey, pair.theirs);
  const names = agents.map(({ name }) => name);
  const context: PeeringContext = { role, agents: names, dialect, reconnectMs, reconnectIncomingMs };
  let peering = createPeering({ nowMs: clock.now() });
  let timer: Timer | undefined;
  let isWorking = false;
  const events: { readonly event: PeeringEvent; readonly atLeastMs: number }[] = [];
  const owned = new Map<number, OwnedSession>();
  /** Sessions by the attempt that carries them. */
  const carried = new Map<string, OwnedSession>();
  const waiting = new Set<Waiting>();
  const partings = createPartings();
  const timeline = createTimeline();
  const seal = createInBandSeal(pair, random);
  /** How it came to rest the last time. */
  let rest = idle;
  let earlier: Circumstances["earlier"];

  const note = (event: TimelineEvent, text: string): void => {
    dependencies.onEntry(timeline.add({ atMs: clock.now(), event, text }));
  };
  const circumstances = (): Circumstances => ({
    peering,
    encounters: runner.encounters,
    deaf: dependencies.deaf(),
    hasTurn: agents.some(({ hasTurn }) => hasTurn),
    last: rest === idle ? undefined : rest,
    earlier,
  });

  /** Platforms fire timers a little early, and what is not due yet would have to wait for another one. */
  const dispatch = (event: PeeringEvent, atLeastMs = Number.NEGATIVE_INFINITY): void => {
    events.push({ event, atLeastMs });
    if (isWorking) return;
    isWorking = true;
    try {
      for (let next = events.shift(); next !== undefined; next = events.shift()) step(next.event, next.atLeastMs);
    } finally {
      isWorking = false;
    }
    schedule();
    if (isIdle(peering)) dependencies.onIdle();
  };
  const step = (event: PeeringEvent, atLeastMs: number): void => {
    const { peering: after, effects } = stepPeering(peering, event, context, {
      nowMs: Math.max(clock.now(), atLeastMs),
      jitter: fraction(random),
      freshId: toHex(random(16)),
      secondId: toHex(random(16)),
    });
    const before = peering;
    peering = after;
    // What was said of the last time says nothing of this one.
    if (isIdle(before) && !isIdle(after)) {
      rest = idle;
      earlier = undefined;
    }
    for (const effect of effects) perform(effect, before);
  };
  const schedule = (): void => {
    timer?.cancel();
    const dueMs = peeringDeadline(peering, context);
    timer = Number.isFinite(dueMs)
      ? clock.schedule(Math.max(0, dueMs - clock.now()), () => dispatch({ type: "tick" }, dueMs))
      : undefined;
  };

  const runner = createAttemptRunner({
    ...{ pair, role, backend, agents, clock, seal, partings, note },
    listening: dependencies.listening,
    tell: (attempt, event) => dispatch({ type: "attempt", attempt, event }),
    onInBand(attempt, description) {
      const instance = peering.attempts.find(({ id }) => id === attempt)?.instance;
      if (instance === undefined) return;
      note("heard", `${describeInWords(description)}, in-band`);
      dispatch({ type: "message", instance, description, welcome: "no" });
    },
    onConnected: (attempt, live) => carried.get(attempt)?.carry(live),
    onChannel: (attempt, channel) => carried.get(attempt)?.onChannel(channel),
    onConsumed: (attempt, channel, bytes) => carried.get(attempt)?.onConsumed(channel, bytes),
    onResume: (attempt, messages) => carried.get(attempt)?.onResume(messages),
  });

  const perform = (effect: PeeringEffect, before: Peering): void => {
    switch (effect.type) {
      case "attempt":
        runner.run(effect.attempt, effect.effect);
        return;
      case "attempt-ended":
        endAttempt(effect.attempt, effect.cause, before);
        return;
      case "declined":
        rest = over({ cause: "declined", reason: "" });
        note("refused", rest.text);
        settleWaiting((each) => each.reject(new WiceError("permission-denied", "the peer has declined")));
        return;
      case "probe":
        void runner
          .live(effect.attempt)
          ?.ping(timing.probeMs)
          .then((answered) => {
            if (answered) dispatch({ type: "answered", attempt: effect.attempt });
          });
        return;
      case "refuse":
        refuse(effect.instance, effect.description, effect.close);
        return;
      case "established":
        establish(effect.session, effect.attempt, effect.incoming);
        return;
      default: {
        const session = owned.get(effect.session);
        if (session !== undefined) change(session, effect);
      }
    }
  };

  const endAttempt = (id: string, cause: EndCause | "expired", before: Peering): void => {
    const attempt = before.attempts.find((each) => each.id === id);
    const path = attempt === undefined ? undefined : explainPath(attempt, circumstances());
    if (path !== undefined) earlier = { instance: attempt?.instance, verdict: path };
    if (cause === "expired") {
      const verdict = attempt === undefined ? notHeard : explainAttempt(attempt, circumstances());
      // Somebody has called, and has said nothing since.
      rest = verdict.code === "connecting" ? notHeard : verdict;
      note("ended", `an attempt came to nothing and was given up: ${rest.text}`);
    } else if (cause !== "closed") {
      rest = over({ cause, reason: "" });
    }
    runner.forget(id);
  };

  /** Makes a session of an attempt that has connected. */
  const establish = (number: number, id: string, incoming: boolean): void => {
    const live = runner.live(id);
    const attempt = peering.attempts.find((each) => each.id === id);
    if (live === undefined || attempt?.instance === undefined || attempt.connection === undefined) return;
    const session = createSession(live, attempt.instance, {
      ...{ remote: pair.theirs, role, agent: attempt.connection.agent, clock },
      timeline: timeline.entries,
      explain() {
        const held = peering.sessions.find((each) => each.number === number);
        return held === undefined ? rest : explainSession(held, circumstances());
      },
      onClosing: () => dispatch({ type: "closing", session: number }),
      async close(reason) {
        dispatch({ type: "close", session: number, reason });
        await partings.over();
      },
      restart: () => dispatch({ type: "restart", session: number }),
    });
    earlier = undefined;
    owned.set(number, session);
    carried.set(id, session);
    note("connected", incoming ? "the peer's session is connected" : "the session is connected");
    if (incoming) dependencies.onIncoming(session.session);
    hand(session);
  };

  /** What happens to a session that the application has. */
  const change = (
    session: OwnedSession,
    effect: Extract<PeeringEffect, { type: "moved" | "lost" | "recovered" | "ended" }>,
  ): void => {
    switch (effect.type) {
      case "moved": {
        const live = runner.live(effect.attempt);
        const instance = peering.attempts.find(({ id }) => id === effect.attempt)?.instance;
        if (live === undefined || instance === undefined) return;
        putDown(session);
        carried.set(effect.attempt, session);
        note("moved", "the session goes on with another of the peer's: it has restarted, or was replaced");
        session.move(live, instance);
        hand(session);
        return;
      }
      case "lost":
        note("lost", "the path does not answer; another one is looked for");
        session.onState(false);
        return;
      case "recovered":
        note("recovered", "data can flow again");
        session.onState(true);
        hand(session);
        return;
      case "ended": {
        owned.delete(effect.session);
        putDown(session);
        const end = { cause: effect.cause, reason: effect.reason };
        rest = over(end);
        note("ended", rest.text);
        session.end(end);
        // For who has called while it was being closed.
        if (waiting.size > 0 && !peering.wanted) dispatch({ type: "want", wanted: true });
      }
    }
  };
  /** To whoever waits for a session; one that takes nothing more to send is none. */
  const hand = ({ session, isClosing }: OwnedSession): void => {
    if (!isClosing) settleWaiting((each) => each.resolve(session));
  };
  /** Nothing carries the session any more. */
  const putDown = (session: OwnedSession): void => {
    for (const [attempt, each] of carried) if (each === session) carried.delete(attempt);
  };
  const settleWaiting = (settle: (each: Waiting) => void): void => {
    for (const each of [...waiting]) settle(each);
    waiting.clear();
  };

  const refuse = (
    instance: Instance,
    { sessionId, kind, epoch, candidateCount, received: named }: Description,
    close: Close,
  ): void => {
    note(
      "refused",
      close.cause === "declined" ? "a session that the peer wants was declined" : "a session that is over was named",
    );
    const description: Description = {
      // What the peer knows as ours, if anything.
      ...{
        sessionId: named?.sessionId ?? toHex(random(16)),
        kind: "hello",
        epoch: 0,
        sdp: "",
        ufrag: "",
        pwd: "",
        agents: [],
        close,
      },
      ...{ candidates: [], candidateCount: 0, candidatesComplete: false, answerWanted: false },
      received: { sessionId, kind, epoch, candidates: candidateCount },
    };
    runner.part(instance, description, "accepted");
  };

  const prepare = (): void => seal.prepare((error) => note("backend", asWiceError(error, "the key agreement").message));

  return {
    async connect(signal) {
      signal?.throwIfAborted();
      prepare();
      if (!peering.wanted) note("wanted", "a session is wanted");
      dispatch({ type: "want", wanted: true });
      const there = [...owned.values()].find(({ session, isClosing }) => session.state === "connected" && !isClosing);
      if (there !== undefined) return there.session;
      return await new Promise<Session>((resolve, reject) => {
        const entry: Waiting = {
          resolve(session) {
            forget();
            resolve(session);
          },
          reject(error) {
            forget();
            reject(error);
          },
        };
        const forget = onAbort(signal, () => {
          waiting.delete(entry);
          reject(signal?.reason);
          if (waiting.size > 0) return;
          rest = explain(circumstances());
          note("wanted", `nobody waits for a session any more; ${rest.text}`);
          dispatch({ type: "want", wanted: false });
        });
        waiting.add(entry);
      });
    },
    receive(instance, description, welcome) {
      prepare();
      note("heard", describeInWords(description));
      dispatch({ type: "message", instance, description, welcome });
    },
    receiveFromDaemon(said, welcome) {
      note("heard", said.credentials === undefined ? "a candidate of a daemon" : "credentials of a daemon");
      dispatch({ type: "daemon", said, welcome });
    },
    sessions: () => [...owned.values()].map(({ session }) => session),
    explain: () => (isIdle(peering) ? rest : explain(circumstances())),
    timeline: timeline.entries,
    onDeaf: () => note("backend", dependencies.deaf()?.message ?? "our key can be called again"),
    onRetrying: runner.onRetrying,
    networkChanged: () => dispatch({ type: "network-changed" }),
    async close(reason) {
      settleWaiting((each) => each.reject(new WiceError("closed", "the peer is closed")));
      dispatch({ type: "want", wanted: false });
      const { drainMs } = timing;
      await Promise.all([...owned.values()].map(({ session }) => session.close({ reason, drainMs })));
      dispatch({ type: "close-all", reason });
      await partings.over();
    },
  };
}

/** Evenly from 0 to below 1. */
function fraction(random: RandomBytes): number {
  const [high = 0, low = 0] = random(2);
  return (high * 256 + low) / 65_536;
}
