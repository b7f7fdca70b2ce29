/** Carries out what attempts decide: makes connections, lets them negotiate, and sends what there is to say. */

import type { Agent, AgentChannel, AgentConnection, AgentDescription, ServerError } from "../agent/agent.ts";
import type { Clock } from "../async/clock.ts";
import type { Backend, Instance } from "../backend/backend.ts";
import { asWiceError, isWiceError, WiceError } from "../errors.ts";
import type { KeyPair } from "../private-key.ts";
import type { Role } from "../role.ts";
import type { Attempt, AttemptEffect, AttemptEvent } from "./attempt-state.ts";
import { type Description, writeDescription } from "./description.ts";
import type { Facts } from "./explain.ts";
import type { InBandSeal } from "./in-band-seal.ts";
import { connectAgent, type LiveConnection } from "./live-connection.ts";
import type { Partings } from "./partings.ts";
import type { TimelineEvent } from "./timeline.ts";

export interface AttemptRunner {
  run(attempt: Attempt, effect: AttemptEffect): void;
  /** The connection that an attempt has now. */
  live(attempt: string): LiveConnection | undefined;
  /** The attempt is over. */
  forget(attempt: string): void;
  /** Says an end to an instance. `until` it was delivered, or only as well as it goes. */
  part(instance: Instance | undefined, description: Description, until: "accepted" | "delivered"): void;
}

export interface AttemptRunnerDependencies {
  readonly pair: KeyPair;
  readonly role: Role;
  readonly backend: Backend;
  readonly agents: readonly Agent[];
  readonly clock: Clock;
  readonly seal: InBandSeal;
  readonly facts: Facts;
  readonly partings: Partings;
  /** Resolves when what the peer answers will be heard. */
  listening(): Promise<void>;
  note(event: TimelineEvent, text: string): void;
  onBackendError(error: WiceError): void;
  /** What comes of it. */
  tell(attempt: string, event: AttemptEvent): void;
  onInBand(attempt: string, description: Description): void;
  onConnected(attempt: string, live: LiveConnection): void;
  onChannel(attempt: string, channel: AgentChannel): void;
  onConsumed(attempt: string, channel: number, bytes: number): void;
  onResume(attempt: string, messages: number): void;
}

interface Running {
  /** The number of its connection, and the connection unless it could not be made. */
  number: number;
  live: LiveConnection | undefined;
  failure: WiceError | undefined;
  /** The message that is under way. */
  publishing: AbortController | undefined;
}

/** How long a peer is told of an end that it does not confirm. */
const farewellMs = 5_000;

export function createAttemptRunner(dependencies: AttemptRunnerDependencies): AttemptRunner {
  const { pair, role, backend, agents, clock, seal, facts, partings, note, onBackendError, tell } = dependencies;
  const running = new Map<string, Running>();

  const open = (id: string, run: Running, number: number, name: Agent["name"]): void => {
    const agent = agents.find((each) => each.name === name);
    if (agent === undefined) return;
    run.number = number;
    run.failure = undefined;
    // One that was replaced lives on for a moment, and even may find a path then.
    const isInUse = (): boolean => running.get(id)?.number === number;
    try {
      const live = connectAgent(
        agent,
        role,
        {
          onCandidate: (candidate, ufrag) => tell(id, { type: "candidate", connection: number, candidate, ufrag }),
          onCandidatesComplete: (ufrag) => tell(id, { type: "candidates-complete", connection: number, ufrag }),
          onState(state, failure) {
            if (!isInUse()) return;
            const forged = isWiceError(failure, "forged");
            facts.forged = forged;
            if (state === "connected") dependencies.onConnected(id, live);
            note("connection", `the path is ${state}${failure === undefined ? "" : `: ${failure.message}`}`);
            tell(id, { type: "state", connection: number, state, forged });
          },
          onNegotiationNeeded: () => tell(id, { type: "negotiation-needed", connection: number }),
          onChannel(channel) {
            if (isInUse()) dependencies.onChannel(id, channel);
          },
          onServerError: noteServer,
          onEnvelope(bytes) {
            const description = seal.open(bytes);
            if (description !== undefined) dependencies.onInBand(id, description);
          },
          onConsumed(channel, bytes) {
            if (isInUse()) dependencies.onConsumed(id, channel, bytes);
          },
          onResume(messages) {
            if (isInUse()) dependencies.onResume(id, messages);
          },
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
  const close = (run: Running, number: number): void => {
    if (run.number !== number) return;
    if (run.live !== undefined) partings.add(run.live.closeSoon());
    run.live = undefined;
    run.number = 0;
  };
  const noteServer = (error: ServerError): void => {
    facts.serverError = error;
    note("server", `${error.url}: ${error.text} (${error.code})`);
  };

  const operate = async (
    id: string,
    { live, number, failure }: Running,
    call: (connection: AgentConnection) => Promise<AgentDescription | undefined>,
  ): Promise<void> => {
    try {
      if (live === undefined) throw failure ?? new WiceError("closed", "there is no connection");
      const { connection } = live;
      const description = await call(connection);
      tell(id, { type: "made", connection: number, canRestart: connection.canRestart });
      if (description === undefined) tell(id, { type: "accepted", connection: number });
      else tell(id, { type: "described", connection: number, description });
    } catch (error) {
      const { code, message } = asWiceError(error, "the agent");
      note("connection", `the agent could not go on: ${message}`);
      tell(id, { type: "refused", connection: number, code });
    }
  };

  const send = (attempt: Attempt, run: Running, description: Description, again: boolean): void => {
    const message = { session: writeDescription(description) };
    const sealed = run.live === undefined ? undefined : seal.seal(message);
    const isInBand = sealed !== undefined && run.live?.send(sealed) === true;
    if (description.close !== undefined) {
      // Told over the backend in any case, since the path may be dead already; but nobody has to wait for it then.
      part(attempt.instance, description, isInBand ? "accepted" : "delivered");
      return;
    }
    if (isInBand) note("sent", `${description.kind} ${description.epoch}, in-band`);
    if (!isInBand || again) void publish(attempt, run, description, message);
  };
  const publish = async (
    { instance }: Attempt,
    run: Running,
    { kind, epoch, candidates }: Description,
    message: Parameters<Backend["publish"]>[1],
  ): Promise<void> => {
    stopPublishing(run);
    run.publishing = new AbortController();
    const { signal } = run.publishing;
    try {
      await dependencies.listening();
      signal.throwIfAborted();
      const { subscribers } = await backend.publish(pair, message, { signal, recipientInstance: instance });
      facts.sentAtMs = clock.now();
      facts.subscribers = subscribers;
      facts.backendError = undefined;
      const to = subscribers === 0 ? "; nobody is subscribed" : "";
      note("sent", `${kind} ${epoch} with ${candidates.length} candidates${to}`);
    } catch (error) {
      if (!signal.aborted) onBackendError(asWiceError(error, "the backend"));
    }
  };
  const stopPublishing = ({ publishing }: Running): void => publishing?.abort(new WiceError("closed", "there is news"));

  const part = (instance: Instance | undefined, description: Description, until: "accepted" | "delivered"): void => {
    const message = { session: writeDescription(description) };
    const said = backend.publish(pair, message, { until, recipientInstance: instance, timeoutMs: farewellMs });
    if (until === "delivered") partings.add(said);
    else said.catch(() => {});
  };

  return {
    part,
    live: (attempt) => running.get(attempt)?.live,
    forget(attempt) {
      const run = running.get(attempt);
      if (run !== undefined) stopPublishing(run);
      running.delete(attempt);
    },
    run(attempt, effect) {
      const { id } = attempt;
      const run = running.get(id) ?? { number: 0, live: undefined, failure: undefined, publishing: undefined };
      running.set(id, run);
      switch (effect.type) {
        case "send":
          send(attempt, run, effect.description, effect.again);
          return;
        case "connect":
          open(id, run, effect.connection, effect.agent);
          return;
        case "disconnect":
          close(run, effect.connection);
          return;
        case "candidates":
          run.live?.connection.addCandidates(effect.candidates);
          return;
        case "candidates-complete":
          run.live?.connection.endCandidates();
          return;
        case "offer":
          void operate(id, run, (connection) => connection.offer({ restart: effect.restart }));
          return;
        case "answer":
          void operate(id, run, (connection) => connection.answer(effect.offer));
          return;
        case "accept":
          void operate(id, run, async (connection) => void (await connection.accept(effect.answer)));
      }
    },
  };
}
