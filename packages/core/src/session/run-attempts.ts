/** Carries out what attempts decide: makes connections, lets them negotiate, and sends what there is to say. */

import type { Agent, AgentChannel, AgentConnection, AgentDescription, ServerError } from "../agent/agent.ts";
import { writeCandidate } from "../agent/candidate.ts";
import type { Clock } from "../async/clock.ts";
import type { Backend, Instance } from "../backend/backend.ts";
import { asWiceError, isWiceError, WiceError } from "../errors.ts";
import type { MessageInit } from "../message.ts";
import type { KeyPair } from "../private-key.ts";
import type { Role } from "../role.ts";
import type { Attempt, AttemptEffect, AttemptEvent } from "./attempt-state.ts";
import { type Description, writeDescription } from "./description.ts";
import { type Encounters, isRefusal } from "./explain.ts";
import type { InBandSeal } from "./in-band-seal.ts";
import { connectAgent, type LiveConnection } from "./live-connection.ts";
import type { Partings } from "./partings.ts";
import { describeInWords, type TimelineEvent } from "./timeline.ts";

export interface AttemptRunner {
  run(attempt: Attempt, effect: AttemptEffect): void;
  /** The connection that an attempt has now. */
  live(attempt: string): LiveConnection | undefined;
  /** For `explain`. */
  encounters(attempt: string): Encounters | undefined;
  /** The backend tries again to hand a message over. */
  onRetrying(error: WiceError): void;
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
  readonly partings: Partings;
  /** Resolves when what the peer answers will be heard. */
  listening(): Promise<void>;
  note(event: TimelineEvent, text: string): void;
  /** What comes of it. */
  tell(attempt: string, event: AttemptEvent): void;
  onInBand(attempt: string, description: Description): void;
  onConnected(attempt: string, live: LiveConnection): void;
  onChannel(attempt: string, channel: AgentChannel): void;
  onConsumed(attempt: string, channel: number, bytes: number): void;
  onResume(attempt: string, messages: number): void;
}

interface Running extends Mutable<Encounters> {
  /** The number of its connection, and the connection unless it could not be made. */
  number: number;
  live: LiveConnection | undefined;
  /** Ends what is being published when there is news. */
  publishing: AbortController | undefined;
  /** How much is being published. */
  underWay: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** How long a peer is told of an end that it does not confirm. */
const farewellMs = 5_000;

export function createAttemptRunner(dependencies: AttemptRunnerDependencies): AttemptRunner {
  const { pair, role, backend, agents, clock, seal, partings, note, tell } = dependencies;
  const running = new Map<string, Running>();
  /** The attempt that asks any instance of the peer. */
  let asking: string | undefined;
  /** What a daemon would have to know, to go along with that. */
  let greeting:
    | { readonly id: string; readonly credentials: NonNullable<MessageInit["credentials"]>; carried: boolean }
    | undefined;

  const open = (id: string, run: Running, number: number, name: Agent["name"], bare: boolean): void => {
    const agent = agents.find((each) => each.name === name);
    if (agent === undefined) return;
    run.number = number;
    run.failure = undefined;
    startLooking(run);
    // One that was replaced lives on for a moment, and even may find a path then.
    const isInUse = (): boolean => running.get(id)?.number === number;
    try {
      const live = connectAgent(
        agent,
        { role, bare },
        {
          onCandidate: (candidate, ufrag) => tell(id, { type: "candidate", connection: number, candidate, ufrag }),
          onCandidatesComplete: (ufrag) => tell(id, { type: "candidates-complete", connection: number, ufrag }),
          onState(state, failure) {
            if (!isInUse()) return;
            const forged = isWiceError(failure, "forged");
            if (state === "failed" || state === "connected") run.turnErrorBefore = undefined;
            if (state === "connected") dependencies.onConnected(id, live);
            note("connection", `the path is ${state}${failure === undefined ? "" : `: ${failure.message}`}`);
            tell(id, { type: "state", connection: number, state, forged });
          },
          onNegotiationNeeded: () => tell(id, { type: "negotiation-needed", connection: number }),
          onChannel(channel) {
            if (isInUse()) dependencies.onChannel(id, channel);
          },
          onServerError(error) {
            if (isInUse()) meetServer(run, error);
          },
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
      note("connection", `number ${number} is made, by ${name}`);
    } catch (error) {
      run.live = undefined;
      run.failure = asWiceError(error, "the agent");
      note("connection", `no connection can be made: ${run.failure.message}`);
    }
  };
  const close = (run: Running, number: number): void => {
    if (run.number !== number) return;
    if (run.live !== undefined) partings.add(run.live.closeSoon());
    run.live = undefined;
    run.number = 0;
  };
  const meetServer = (run: Running, error: ServerError): void => {
    // That one cannot be reached is often so on one of several networks; that it refuses is certain.
    const isTurn = /^turns?:/.test(error.url);
    if (isRefusal(error) || (isTurn && run.turnError === undefined)) run.turnError = error;
    note("server", `${error.url}: ${error.text} (${error.code})`);
  };

  const operate = async (
    id: string,
    run: Running,
    call: (connection: AgentConnection) => Promise<AgentDescription | undefined>,
  ): Promise<void> => {
    const { live, number, failure } = run;
    try {
      if (live === undefined) throw failure ?? new WiceError("closed", "there is no connection");
      const { connection } = live;
      const description = await call(connection);
      run.refusal = undefined;
      tell(id, { type: "made", connection: number, canRestart: connection.canRestart });
      if (description === undefined) tell(id, { type: "accepted", connection: number });
      else tell(id, { type: "described", connection: number, description });
    } catch (error) {
      const refusal = asWiceError(error, "the agent");
      const { code, message } = refusal;
      // Nobody waits for what a connection was doing that is not there any more.
      if (code !== "closed") run.refusal = refusal;
      note("connection", `the agent could not go on: ${message}`);
      tell(id, { type: "refused", connection: number, code });
    }
  };

  /** No agent should throw there; one that does has a defect, which must not stop what goes on with others. */
  const inform = ({ live }: Running, call: (connection: AgentConnection) => void): void => {
    try {
      if (live !== undefined) call(live.connection);
    } catch {
      note("connection", "the agent does not take what it is told");
    }
  };

  const startLooking = (run: Running): void => {
    run.turnErrorBefore = run.turnError;
    run.turnError = undefined;
  };
  const restart = (run: Running): void => {
    startLooking(run);
    note("connection", `number ${run.number} looks for another path`);
  };
  const send = (attempt: Attempt, run: Running, description: Description, again: boolean): void => {
    const message: MessageInit = { session: writeDescription(description) };
    const sealed = run.live === undefined ? undefined : seal.seal(message);
    const isInBand = sealed !== undefined && run.live?.send(sealed) === true;
    if (description.close !== undefined) {
      // Told over the backend in any case, since the path may be dead already; but nobody has to wait for it then.
      part(attempt.instance, description, isInBand ? "accepted" : "delivered");
      return;
    }
    if (isInBand) note("sent", `${describeInWords(description)}, in-band`);
    if (!isInBand || again) publish(run, attempt, description, message);
  };
  const publish = (run: Running, { id, instance }: Attempt, description: Description, message: MessageInit): void => {
    if (id === asking && greeting !== undefined) {
      message.credentials = greeting.credentials;
      greeting.carried = true;
    }
    stopPublishing(run);
    void say(run, [message], instance, (subscribers) => {
      const to = subscribers === 0 ? "; nobody is subscribed" : "";
      return `${describeInWords(description)}${to}`;
    });
  };
  /** What is said again by the next batch with credentials, so that one makes room for the other. */
  const speak = (
    id: string,
    run: Running,
    { credentials: said, candidates }: Extract<AttemptEffect, { type: "speak" }>,
  ): void => {
    const credentials = said && { ufrag: said.ufrag, pwd: said.pwd, needCreds: said.needCredentials };
    // Who has not been heard may speak our language: what asks for that takes this along, unless it has nothing to say.
    const waits = greeting?.id !== id || greeting.carried;
    if (credentials?.needCreds === true && asking !== undefined && waits) {
      greeting = { id, credentials, carried: false };
      return;
    }
    const messages: MessageInit[] = candidates.map((candidate) => ({ candidate: writeCandidate(candidate) }));
    if (credentials !== undefined) {
      stopPublishing(run);
      messages.unshift({ credentials });
    }
    void say(
      run,
      messages,
      undefined,
      () => `${credentials === undefined ? "" : "credentials and "}${candidates.length} candidates, as to a daemon`,
    );
  };
  /** One message after the other, until there is news. */
  const say = async (
    run: Running,
    messages: readonly MessageInit[],
    recipientInstance: Instance | undefined,
    inWords: (subscribers: number | undefined) => string,
  ): Promise<void> => {
    run.publishing ??= new AbortController();
    const { signal } = run.publishing;
    run.underWay += 1;
    try {
      await dependencies.listening();
      for (const message of messages) {
        signal.throwIfAborted();
        const { subscribers } = await backend.publish(pair, message, { signal, recipientInstance });
        run.sent = { subscribers };
      }
      run.sendError = undefined;
      note("sent", inWords(run.sent?.subscribers));
    } catch (error) {
      if (!signal.aborted) fail(run, asWiceError(error, "the backend"));
    } finally {
      run.underWay -= 1;
    }
  };
  const fail = (run: Running, error: WiceError): void => {
    if (run.sendError?.message !== error.message) note("backend", error.message);
    run.sendError = error;
  };
  const stopPublishing = (run: Running): void => {
    run.publishing?.abort(new WiceError("closed", "there is news"));
    run.publishing = undefined;
  };

  const part = (instance: Instance | undefined, description: Description, until: "accepted" | "delivered"): void => {
    const message = { session: writeDescription(description) };
    const said = backend.publish(pair, message, { until, recipientInstance: instance, timeoutMs: farewellMs });
    if (until === "delivered") partings.add(said);
    else said.catch(() => {});
  };

  return {
    part,
    live: (attempt) => running.get(attempt)?.live,
    encounters: (attempt) => running.get(attempt),
    onRetrying(error) {
      for (const run of running.values()) if (run.underWay > 0) fail(run, error);
    },
    forget(attempt) {
      const run = running.get(attempt);
      if (run !== undefined) stopPublishing(run);
      running.delete(attempt);
      if (asking === attempt) asking = undefined;
      if (greeting?.id === attempt) greeting = undefined;
    },
    run(attempt, effect) {
      const { id } = attempt;
      if (attempt.instance === undefined) asking = id;
      else if (asking === id) asking = undefined;
      const run = running.get(id) ?? { ...fresh };
      running.set(id, run);
      switch (effect.type) {
        case "send":
          send(attempt, run, effect.description, effect.again);
          return;
        case "speak":
          speak(id, run, effect);
          return;
        case "connect":
          open(id, run, effect.connection, effect.agent, attempt.daemon !== undefined);
          return;
        case "disconnect":
          close(run, effect.connection);
          return;
        case "candidates":
          inform(run, (connection) => connection.addCandidates(effect.candidates));
          return;
        case "candidates-complete":
          inform(run, (connection) => connection.endCandidates());
          return;
        case "offer":
          if (effect.restart) restart(run);
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

const fresh: Running = {
  number: 0,
  live: undefined,
  publishing: undefined,
  underWay: 0,
  sent: undefined,
  sendError: undefined,
  failure: undefined,
  refusal: undefined,
  turnError: undefined,
  turnErrorBefore: undefined,
};
