/** Two connections of agents that hear of each other as a session would let them. */

import type { Agent, AgentChannel, AgentConnection, AgentDescription, ConnectionState } from "../agent/agent.ts";
import type { Candidate } from "../agent/candidate.ts";
import type { WiceError } from "../errors.ts";

export interface AgentEnd {
  readonly connection: AgentConnection;
  /** What it has said, in order. */
  readonly states: readonly ConnectionState[];
  readonly failures: readonly WiceError[];
  readonly candidates: readonly { readonly candidate: Candidate; readonly ufrag: string }[];
  /** Credentials whose candidates are complete, and how many there were then. */
  readonly completed: readonly { readonly ufrag: string; readonly count: number }[];
  readonly channels: readonly AgentChannel[];
  /** How often it wanted a negotiation. */
  readonly wishes: number;
  /** Resolves when it is so, which is looked at after each event. */
  until(condition: () => boolean): Promise<void>;
}

export interface AgentPair {
  readonly one: AgentEnd;
  readonly two: AgentEnd;
  /** One side offers, the other answers; candidates go their way from then on. */
  negotiate(options?: NegotiateOptions): Promise<void>;
  /** Resolves when both are connected. */
  connected(): Promise<void>;
  close(): void;
}

export interface NegotiateOptions {
  /** Who offers. Default `"one"`. */
  readonly from?: "one" | "two";
  readonly restart?: boolean;
  /** Changes the answer on its way. */
  alter?(answer: AgentDescription): AgentDescription;
  /** Which candidates arrive. Default all. */
  readonly candidates?: (candidate: Candidate) => boolean;
}

export function createAgentPair(first: Agent, second: Agent): AgentPair {
  const one = createEnd(first, "controlling");
  const two = createEnd(second, "controlled");
  /** What each has been told of the other. */
  const told = { one: "", two: "" };
  let passes = (_: Candidate): boolean => true;

  const pass = (from: Inside, to: Inside, ufrag: string): void => {
    const { candidates, passed } = from;
    const news = candidates.slice(passed).filter((each) => each.ufrag === ufrag && passes(each.candidate));
    if (ufrag === "") return;
    from.passed = candidates.length;
    if (news.length > 0) to.end.connection.addCandidates(news.map(({ candidate }) => candidate));
  };
  const passAll = (): void => {
    pass(one, two, told.two);
    pass(two, one, told.one);
  };
  one.onCandidate = passAll;
  two.onCandidate = passAll;

  return {
    one: one.end,
    two: two.end,
    async negotiate({ from = "one", restart = false, alter = (answer: AgentDescription) => answer, candidates } = {}) {
      passes = candidates ?? passes;
      const [offerer, answerer] = from === "one" ? [one.end, two.end] : [two.end, one.end];
      const offer = await offerer.connection.offer({ restart });
      told[from === "one" ? "two" : "one"] = "";
      const answer = await answerer.connection.answer(offer);
      told[from === "one" ? "two" : "one"] = offer.ufrag;
      await offerer.connection.accept(alter(answer));
      told[from] = answer.ufrag;
      passAll();
    },
    async connected() {
      await Promise.all([one, two].map(({ end }) => end.until(() => end.connection.state === "connected")));
    },
    close() {
      one.end.connection.close();
      two.end.connection.close();
    },
  };
}

interface Inside {
  readonly end: AgentEnd;
  readonly candidates: { readonly candidate: Candidate; readonly ufrag: string }[];
  /** How many candidates were looked at for the other side. */
  passed: number;
  onCandidate(): void;
}

function createEnd(agent: Agent, role: "controlling" | "controlled"): Inside {
  const states: ConnectionState[] = [];
  const failures: WiceError[] = [];
  const candidates: Inside["candidates"] = [];
  const completed: { readonly ufrag: string; readonly count: number }[] = [];
  const channels: AgentChannel[] = [];
  const waiting = new Set<() => void>();
  let wishes = 0;
  const changed = (): void => {
    for (const look of [...waiting]) look();
  };
  const connection = agent.connect({
    role,
    events: {
      onCandidate(candidate, ufrag) {
        candidates.push({ candidate, ufrag });
        inside.onCandidate();
        changed();
      },
      onCandidatesComplete(ufrag) {
        completed.push({ ufrag, count: candidates.length });
        changed();
      },
      onState(state, failure) {
        states.push(state);
        if (failure !== undefined) failures.push(failure);
        changed();
      },
      onNegotiationNeeded() {
        wishes += 1;
        changed();
      },
      onChannel(channel) {
        channels.push(channel);
        changed();
      },
      onServerError() {},
    },
  });
  const inside: Inside = {
    candidates,
    passed: 0,
    onCandidate() {},
    end: {
      connection,
      states,
      failures,
      candidates,
      completed,
      channels,
      get wishes() {
        return wishes;
      },
      until: (condition) =>
        new Promise((resolve) => {
          const look = (): void => {
            if (!condition()) return;
            waiting.delete(look);
            resolve();
          };
          waiting.add(look);
          look();
        }),
    },
  };
  return inside;
}
