/** Two connections that hear each other's candidates as a session would pass them on. */

import type { Agent, AgentConnection, AgentDescription, Candidate, ConnectionState, WiceError } from "@wice/core";
import { onTestFinished } from "vitest";

export interface End {
  readonly connection: AgentConnection;
  readonly states: ConnectionState[];
  readonly failures: WiceError[];
  readonly candidates: Candidate[];
  /** Resolves when the connection is in that state. */
  reached(state: ConnectionState): Promise<void>;
}

export interface Pair {
  readonly one: End;
  readonly two: End;
  /** `one` offers; `alter` changes the answer on its way. */
  negotiate(options?: { restart?: boolean; alter?(answer: AgentDescription): AgentDescription }): Promise<void>;
}

export function createPair(first: Agent, second: Agent = first): Pair {
  const one = createEnd(first);
  const two = createEnd(second);
  // What comes before the other side has a description is kept, as a session does.
  let ready = false;
  const pass = (): void => {
    if (!ready) return;
    one.connection.addCandidates(two.candidates.splice(0));
    two.connection.addCandidates(one.candidates.splice(0));
  };
  one.onCandidate = pass;
  two.onCandidate = pass;
  return {
    one,
    two,
    async negotiate({ restart = false, alter = (answer: AgentDescription) => answer } = {}) {
      const offer = await one.connection.offer({ restart });
      const answer = await two.connection.answer(offer);
      await one.connection.accept(alter(answer));
      ready = true;
      pass();
    },
  };
}

function createEnd(agent: Agent): End & { onCandidate(): void } {
  const waiting = new Map<ConnectionState, () => void>();
  const end = {
    states: [] as ConnectionState[],
    failures: [] as WiceError[],
    candidates: [] as Candidate[],
    onCandidate() {},
    connection: agent.connect({
      role: "controlling",
      events: {
        onCandidate(candidate) {
          end.candidates.push(candidate);
          end.onCandidate();
        },
        onCandidatesComplete() {},
        onState(state, failure) {
          end.states.push(state);
          if (failure !== undefined) end.failures.push(failure);
          waiting.get(state)?.();
        },
        onNegotiationNeeded() {},
        onChannel() {},
        onServerError() {},
      },
    }),
    reached: (state: ConnectionState) =>
      new Promise<void>((resolve) => {
        if (end.connection.state === state) resolve();
        else waiting.set(state, resolve);
      }),
  };
  onTestFinished(() => end.connection.close());
  return end;
}
