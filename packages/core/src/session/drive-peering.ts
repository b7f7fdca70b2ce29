/** Runs the state machine of one remote key: carries its effects out, and tells it what comes of them. */

import type { Agent, AgentConnection, AgentDescription, ServerError } from "../agent/agent.ts";
import type { Clock, Timer } from "../async/clock.ts";
import { onAbort } from "../async/signal.ts";
import type { Backend, Instance } from "../backend/backend.ts";
import { agreeBoxKey, type BoxKey, openWith, sealWith } from "../box.ts";
import { type RandomBytes, toHex } from "../bytes.ts";
import { decodeEnvelope, encodeEnvelope } from "../envelope.ts";
import { asWiceError, isWiceError, WiceError } from "../errors.ts";
import { decodeMessage, encodeMessage } from "../message.ts";
import type { KeyPair } from "../private-key.ts";
import { electRole } from "../role.ts";
import type { Attempt, AttemptEffect, AttemptEvent } from "./attempt.ts";
import { createSession, type OwnedSession } from "./create-session.ts";
import { type Description, readDescription, writeDescription } from "./description.ts";
import { createFacts, explain, type Facts, type Verdict } from "./explain.ts";
import { connectAgent, type LiveConnection } from "./live-connection.ts";
import {
  createPeering,
  isIdle,
  type PeeringContext,
  type PeeringEffect,
  type PeeringEvent,
  peeringDeadline,
  stepPeering,
} from "./peering.ts";
import type { Session } from "./session.ts";
import { createTimeline, type TimelineEntry, type TimelineEvent } from "./timeline.ts";
import { timing } from "./timing.ts";

export interface PeeringDriver {
  /** Resolves with the session, once data can flow. Rejects with `permission-denied`, `closed`, and the signal's reason. */
  connect(signal: AbortSignal | undefined): Promise<Session>;
  /** A message of the peer's that holds a description. */
  receive(instance: Instance, description: Description, accepted: "yes" | "no" | "tell"): void;
  sessions(): readonly Session[];
  explain(): Verdict;
  timeline(): readonly TimelineEntry[];
  /** The backend is in trouble, or is not any more. */
  onBackend(error: WiceError | undefined): void;
  networkChanged(): void;
  /** Ends everything in order; resolves when the peer was told, or cannot be. */
  close(reason: string): Promise<void>;
  readonly idle: boolean;
}

export interface PeeringDependencies {
  readonly pair: KeyPair;
  readonly backend: Backend;
  readonly agents: readonly Agent[];
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly reconnectMs: number;
  readonly reconnectIncomingMs: number;
  /** Resolves when what the peer answers will be heard. */
  listening(): Promise<void>;
  onIncoming(session: Session): void;
  onEntry(entry: TimelineEntry): void;
  onIdle(): void;
  /** Something goes on for a moment after the end: a message, a connection that lets its last words leave. */
  onParting(parting: Promise<void>): void;
}

/** One attempt's connection, and the message of it that is under way. */
interface Running {
  live: LiveConnection | undefined;
  number: number;
  failure: WiceError | undefined;
  publishing: AbortController | undefined;
}

/** How long a peer is told of an end that it does not confirm. */
const farewellMs = 5_000;

export function drivePeering(dependencies: PeeringDependencies): PeeringDriver {
  const { pair, backend, agents, clock, random } = dependencies;
  const role = electRole(pair.ours.publicKey, pair.theirs);
  const context: PeeringContext = {
    role,
    agents: agents.map(({ name }) => name),
    reconnectMs: dependencies.reconnectMs,
    reconnectIncomingMs: dependencies.reconnectIncomingMs,
  };
  let peering = createPeering({ nowMs: clock.now() });
  let timer: Timer | undefined;
  let working = false;
  const events: PeeringEvent[] = [];
  const running = new Map<string, Running>();
  const owned = new Map<number, OwnedSession>();
  /** Sessions by the attempt that carries them. */
  const carried = new Map<string, OwnedSession>();
  const waiting = new Set<{ resolve(session: Session): void; reject(error: unknown): void }>();
  const farewells = new Set<Promise<unknown>>();
  const facts: Facts = createFacts(agents.some(({ hasTurn }) => hasTurn));
  const timeline = createTimeline();
  /** What was in the way when the application gave up waiting. */
  let abandoned: Verdict | undefined;
  let agreed: Promise<BoxKey> | undefined;
  let boxKey: BoxKey | undefined;

  const note = (event: TimelineEvent, text: string): void => {
    const entry: TimelineEntry = { atMs: clock.now(), event, text };
    timeline.add(entry);
    dependencies.onEntry(entry);
  };

  const dispatch = (event: PeeringEvent): void => {
    events.push(event);
    if (working) return;
    working = true;
    for (let next = events.shift(); next !== undefined; next = events.shift()) {
      const step = stepPeering(peering, next, context, {
        nowMs: clock.now(),
        jitter: fraction(random),
        freshId: toHex(random(16)),
        secondId: toHex(random(16)),
      });
      peering = step.peering;
      for (const effect of step.effects) perform(effect);
    }
    working = false;
    learn();
    schedule();
    if (isIdle(peering)) dependencies.onIdle();
  };
  const schedule = (): void => {
    timer?.cancel();
    const dueMs = peeringDeadline(peering, context);
    timer = Number.isFinite(dueMs)
      ? clock.schedule(Math.max(0, dueMs - clock.now()), () => dispatch({ type: "tick" }))
      : undefined;
  };

  /** What the machine knows, for `explain`. */
  const learn = (): void => {
    const { attempts, sessions, wanted } = peering;
    facts.active = wanted || attempts.length > 0 || sessions.length > 0;
    facts.connected = sessions.some(({ connected }) => connected);
    facts.wasConnected = sessions.length > 0;
    facts.noCommonAgent = attempts.some(({ noCommonAgent }) => noCommonAgent);
    const states = attempts.map(({ connection }) => connection?.state);
    // A failed connection is replaced by a new one, which says nothing yet.
    const state =
      states.find((each) => each === "connected") ?? states.find((each) => each !== undefined && each !== "new");
    if (state !== undefined) facts.state = state;
  };

  const attemptEvent = (attempt: string, event: AttemptEvent): void => dispatch({ type: "attempt", attempt, event });

  const perform = (effect: PeeringEffect): void => {
    switch (effect.type) {
      case "attempt":
        performAttempt(effect.attempt, effect.effect);
        return;
      case "attempt-ended":
        forgetAttempt(effect.attempt);
        if (effect.cause === "expired") note("ended", "an attempt came to nothing and was given up");
        else facts.ended = { cause: effect.cause, reason: "" };
        return;
      case "declined":
        note("refused", "the peer has declined");
        settleWaiting((each) => each.reject(new WiceError("permission-denied", "the peer has declined")));
        return;
      case "probe":
        void running
          .get(effect.attempt)
          ?.live?.ping(timing.probeMs)
          .then((alive) => dispatch({ type: "probed", attempt: effect.attempt, alive }));
        return;
      case "refuse":
        refuse(effect.instance, effect.description, effect.reason);
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

  const establish = (number: number, attempt: string, incoming: boolean): void => {
    const session = hold(number, attempt);
    if (session === undefined) return;
    note("connected", incoming ? "the peer's session is connected" : "the session is connected");
    if (incoming) dependencies.onIncoming(session);
    settleWaiting((each) => each.resolve(session));
  };

  /** What happens to a session that the application has. */
  const change = (
    session: OwnedSession,
    effect: Extract<PeeringEffect, { type: "moved" | "lost" | "recovered" | "ended" }>,
  ): void => {
    switch (effect.type) {
      case "moved": {
        const live = running.get(effect.attempt)?.live;
        const instance = peering.attempts.find(({ id }) => id === effect.attempt)?.instance;
        if (live === undefined || instance === undefined) return;
        putDown(session);
        carried.set(effect.attempt, session);
        note("moved", "the session goes on with another instance of the peer");
        session.move(live, instance);
        settleWaiting((each) => each.resolve(session.session));
        return;
      }
      case "lost":
        note("lost", "the path does not answer; another one is looked for");
        session.onState(false);
        return;
      case "recovered":
        note("recovered", "data can flow again");
        session.onState(true);
        settleWaiting((each) => each.resolve(session.session));
        return;
      case "ended":
        owned.delete(effect.session);
        for (const attempt of putDown(session)) forgetAttempt(attempt);
        facts.ended = { cause: effect.cause, reason: effect.reason };
        note("ended", explain({ ...facts, active: false, connected: false }).text);
        session.end({ cause: effect.cause, reason: effect.reason });
        // Who waited for it to return is in for another one.
        if (waiting.size > 0) dispatch({ type: "want", wanted: true });
    }
  };
  /** Nothing carries the session any more. Returns what did. */
  const putDown = (session: OwnedSession): string[] => {
    const attempts = [...carried].filter(([, each]) => each === session).map(([attempt]) => attempt);
    for (const attempt of attempts) carried.delete(attempt);
    return attempts;
  };
  const forgetAttempt = (attempt: string): void => {
    stopPublishing(attempt);
    running.delete(attempt);
  };

  const settleWaiting = (settle: (each: Parameters<typeof waiting.add>[0]) => void): void => {
    for (const each of [...waiting]) settle(each);
    waiting.clear();
  };

  /** Makes a session of an attempt that has connected. */
  const hold = (number: number, attemptId: string): Session | undefined => {
    const live = running.get(attemptId)?.live;
    const attempt = peering.attempts.find(({ id }) => id === attemptId);
    if (live === undefined || attempt?.instance === undefined || attempt.connection === undefined) return undefined;
    const session = createSession(live, attempt.instance, {
      ...{ remote: pair.theirs, role, agent: attempt.connection.agent, clock, facts, timeline },
      async close(reason) {
        dispatch({ type: "close", session: number, reason });
        await Promise.allSettled(farewells);
      },
      restart: () => dispatch({ type: "restart", session: number }),
    });
    owned.set(number, session);
    carried.set(attemptId, session);
    return session.session;
  };

  const performAttempt = (attempt: Attempt, effect: AttemptEffect): void => {
    const { id } = attempt;
    const run = running.get(id) ?? { live: undefined, number: 0, failure: undefined, publishing: undefined };
    running.set(id, run);
    switch (effect.type) {
      case "send":
        send(attempt, run, effect.description);
        return;
      case "connect":
        run.number = effect.connection;
        openConnection(id, run, effect.connection, effect.agent);
        return;
      case "disconnect":
        if (run.number === effect.connection) {
          if (run.live !== undefined) remember(run.live.closeSoon());
          run.live = undefined;
        }
        return;
      case "candidates":
        run.live?.connection.addCandidates(effect.candidates);
        return;
      case "candidates-complete":
        run.live?.connection.endCandidates();
        return;
      case "offer":
        operate(id, run, (connection) => connection.offer({ restart: effect.restart }));
        return;
      case "answer":
        operate(id, run, (connection) => connection.answer(effect.offer));
        return;
      case "accept":
        operate(id, run, (connection) => connection.accept(effect.answer).then(() => undefined));
    }
  };

  const operate = (
    id: string,
    run: Running,
    call: (connection: AgentConnection) => Promise<AgentDescription | undefined>,
  ): void => {
    const { live, number, failure } = run;
    const refused = (error: unknown): void => {
      const { code } = asWiceError(error, "the agent");
      note("connection", `the agent could not go on: ${asWiceError(error, "the agent").message}`);
      attemptEvent(id, { type: "refused", connection: number, code });
    };
    if (live === undefined) {
      attemptEvent(id, { type: "refused", connection: number, code: failure?.code ?? "closed" });
      return;
    }
    const { connection } = live;
    call(connection).then((described) => {
      attemptEvent(id, { type: "made", connection: number, canRestart: connection.canRestart });
      if (described === undefined) attemptEvent(id, { type: "accepted", connection: number });
      else attemptEvent(id, { type: "described", connection: number, description: described });
    }, refused);
  };

  const openConnection = (id: string, run: Running, number: number, name: Agent["name"]): void => {
    const agent = agents.find((each) => each.name === name);
    if (agent === undefined) return;
    const tell = (event: AttemptEvent): void => attemptEvent(id, event);
    try {
      const live = connectAgent(
        agent,
        role,
        {
          onCandidate: (candidate, ufrag) => tell({ type: "candidate", connection: number, candidate, ufrag }),
          onCandidatesComplete: (ufrag) => tell({ type: "candidates-complete", connection: number, ufrag }),
          onState(state, failure) {
            const forged = isWiceError(failure, "forged");
            facts.forged = forged;
            if (state === "connected") carried.get(id)?.carry(live);
            note(
              "connection",
              failure === undefined ? `the path is ${state}` : `the path is ${state}: ${failure.message}`,
            );
            tell({ type: "state", connection: number, state, forged });
          },
          onNegotiationNeeded: () => tell({ type: "negotiation-needed", connection: number }),
          onChannel: (channel) => carried.get(id)?.onChannel(channel),
          onServerError: noteServer,
          onEnvelope: (bytes) => receiveInBand(id, bytes),
          onConsumed: (channel, bytes) => carried.get(id)?.onConsumed(channel, bytes),
          onResume: (messages) => carried.get(id)?.onResume(messages),
        },
        clock,
      );
      run.live = live;
      facts.agentError = undefined;
    } catch (error) {
      run.live = undefined;
      run.failure = asWiceError(error, "the agent");
      facts.agentError = run.failure;
      note("connection", `no connection can be made: ${run.failure.message}`);
    }
  };

  const noteServer = (error: ServerError): void => {
    facts.serverError = error;
    note("server", `${error.url}: ${error.text} (${error.code})`);
  };

  const send = (attempt: Attempt, run: Running, description: Description): void => {
    const message = { session: writeDescription(description) };
    const inBand = run.live !== undefined && boxKey !== undefined && run.live.send(sealed(boxKey, message));
    if (description.close !== undefined) {
      sayFarewell(attempt.instance, message, inBand);
      return;
    }
    if (inBand) {
      note("sent", `${description.kind} ${description.epoch}, in-band`);
      return;
    }
    stopPublishing(attempt.id);
    const publishing = new AbortController();
    run.publishing = publishing;
    const { signal } = publishing;
    void (async () => {
      try {
        await dependencies.listening();
        if (signal.aborted) return;
        const { subscribers } = await backend.publish(pair, message, {
          signal,
          recipientInstance: attempt.instance,
        });
        facts.sentAtMs = clock.now();
        facts.subscribers = subscribers;
        facts.backendError = undefined;
        const to = subscribers === 0 ? "; nobody is subscribed" : "";
        note("sent", `${description.kind} ${description.epoch} with ${description.candidates.length} candidates${to}`);
      } catch (error) {
        if (!signal.aborted) onBackendError(asWiceError(error, "the backend"));
      }
    })();
  };
  const stopPublishing = (attempt: string): void => {
    running.get(attempt)?.publishing?.abort(new WiceError("closed", "there is news"));
  };
  const onBackendError = (error: WiceError): void => {
    if (facts.backendError?.message !== error.message) note("backend", error.message);
    facts.backendError = error;
  };

  /** An end is told in-band where that goes, and over the backend in any case, since the path may be dead already. */
  const sayFarewell = (
    instance: Instance | undefined,
    message: Parameters<Backend["publish"]>[1],
    inBand: boolean,
  ): void => {
    const until = inBand ? "accepted" : "delivered";
    const said = backend.publish(pair, message, { until, recipientInstance: instance, timeoutMs: farewellMs });
    // Where it went in-band, nobody has to wait for a backend that may be down.
    if (inBand) said.catch(() => {});
    else remember(said);
  };
  /** What {@link PeeringDriver.close} waits for. */
  const remember = (parting: Promise<unknown>): void => {
    const settled = parting.then(
      () => {},
      () => {},
    );
    farewells.add(settled);
    dependencies.onParting(settled);
    void settled.then(() => farewells.delete(settled));
  };
  const refuse = (
    instance: Instance,
    { sessionId, kind, epoch, candidateCount }: Description,
    reason: string,
  ): void => {
    note(
      "refused",
      reason === "declined" ? "a session that the peer wants was declined" : "a session that is over was named",
    );
    const received = { sessionId, kind, epoch, candidates: candidateCount };
    const description: Description = {
      ...{ sessionId: toHex(random(16)), kind: "hello", epoch: 0, sdp: "", ufrag: "", pwd: "" },
      ...{ candidates: [], candidateCount: 0, candidatesComplete: false, agents: [], received, close: reason },
    };
    sayFarewell(instance, { session: writeDescription(description) }, true);
  };

  const agree = (): void => {
    agreed ??= agreeBoxKey(pair.ours, pair.theirs);
    agreed.then(
      (key) => {
        boxKey = key;
      },
      (error: unknown) => {
        agreed = undefined;
        onBackendError(asWiceError(error, "the key agreement"));
      },
    );
  };
  const sealed = (key: BoxKey, message: Parameters<typeof encodeMessage>[0]): Uint8Array => {
    const box = sealWith(key, encodeMessage(message), random);
    return encodeEnvelope({ sender: pair.ours.publicKey, recipient: pair.theirs, ...box });
  };
  const receiveInBand = (id: string, bytes: Uint8Array): void => {
    const instance = peering.attempts.find((each) => each.id === id)?.instance;
    if (boxKey === undefined || instance === undefined) return;
    try {
      const envelope = decodeEnvelope(bytes);
      if (!envelope.sender.equals(pair.theirs) || !envelope.recipient.equals(pair.ours.publicKey)) return;
      const plaintext = openWith(boxKey, envelope);
      const { session } = plaintext === undefined ? {} : decodeMessage(plaintext);
      const description = session === undefined ? undefined : readDescription(session);
      if (description !== undefined) dispatch({ type: "message", instance, description, accepted: "no" });
    } catch {
      // Garbage of a peer that we have a session with: it says nothing.
    }
  };

  return {
    async connect(signal) {
      signal?.throwIfAborted();
      agree();
      const there = [...owned.values()].find(({ session }) => session.state === "connected");
      if (there !== undefined) return there.session;
      return await new Promise<Session>((resolve, reject) => {
        const entry = {
          resolve(session: Session) {
            forget();
            resolve(session);
          },
          reject(error: unknown) {
            forget();
            reject(error);
          },
        };
        const forget = onAbort(signal, () => {
          waiting.delete(entry);
          reject(signal?.reason);
          if (waiting.size > 0) return;
          abandoned = explain(facts);
          dispatch({ type: "want", wanted: false });
        });
        waiting.add(entry);
        facts.ended = undefined;
        abandoned = undefined;
        if (owned.size === 0) dispatch({ type: "want", wanted: true });
      });
    },
    receive(instance, description, accepted) {
      agree();
      facts.heardAtMs = clock.now();
      facts.backendError = undefined;
      const what = description.close === undefined ? `${description.kind} ${description.epoch}` : "an end";
      note("heard", `${what} with ${description.candidates.length} candidates`);
      dispatch({ type: "message", instance, description, accepted });
    },
    sessions: () => [...owned.values()].map(({ session }) => session),
    explain: () => (isIdle(peering) && abandoned !== undefined ? abandoned : explain(facts)),
    timeline: timeline.entries,
    onBackend(error) {
      if (error === undefined) facts.backendError = undefined;
      else if (facts.active) onBackendError(error);
    },
    networkChanged: () => dispatch({ type: "network-changed" }),
    async close(reason) {
      settleWaiting((each) => each.reject(new WiceError("closed", "the peer is closed")));
      dispatch({ type: "close-all", reason });
      timer?.cancel();
      await Promise.allSettled(farewells);
    },
    get idle() {
      return isIdle(peering);
    },
  };
}

/** Evenly from 0 to below 1. */
function fraction(random: RandomBytes): number {
  const [high = 0, low = 0] = random(2);
  return (high * 256 + low) / 65_536;
}
