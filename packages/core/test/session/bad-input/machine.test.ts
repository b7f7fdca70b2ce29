/** The state machine alone, told whatever there is to tell in any order: it stays within its bounds, and throws nothing. */

import type { Candidate } from "@wice/core";
import { createSeededRandom, type SeededRandom } from "@wice/core/testing";
import { expect, test } from "vitest";
import type { AttemptEvent } from "../../../src/session/attempt-state.ts";
import type { Close, Description, Kind, Received } from "../../../src/session/description.ts";
import { maxAttempts } from "../../../src/session/peering-state.ts";
import { createMachine, describes, instances, type Machine, sessionId } from "../support/machine.ts";

const seed = Number(process.env.WICE_SEED ?? 7);
const runs = 60;
const eventsPerRun = 250;

const kinds: readonly [Kind, ...Kind[]] = ["hello", "offer", "answer"];
const codes = ["invalid-message", "unsupported", "closed"] as const;
const states = ["disconnected", "failed", "closed"] as const;
const causes = ["done", "declined", "gone", "other-instance"] as const;

function randomReceived(random: SeededRandom, machine: Machine): Received | undefined {
  if (random.chance(0.2)) return undefined;
  const ids = [...machine.peering.attempts.map(({ id }) => id), sessionId(random.integer(1, 5_000))];
  const id = ids[random.integer(0, ids.length - 1)] as string;
  return { sessionId: id, kind: random.pick(kinds), epoch: randomEpoch(random), candidates: random.integer(0, 70) };
}

function randomEpoch(random: SeededRandom): number {
  return random.chance(0.05) ? Number.MAX_SAFE_INTEGER : random.integer(0, 6);
}

function randomDescription(random: SeededRandom, machine: Machine): Description {
  const kind = random.pick(kinds);
  const candidates = Array.from({ length: random.integer(0, 3) }, (_, index) => candidate(index));
  const close: Close | undefined = random.chance(0.1) ? { cause: random.pick(causes), reason: "" } : undefined;
  return describes({
    ...{ sessionId: sessionId(random.integer(1, 6)), kind, candidates, close, candidatesComplete: random.chance(0.3) },
    epoch: kind === "hello" ? 0 : Math.max(1, randomEpoch(random)),
    ufrag: kind === "hello" ? "" : `ufrag${random.integer(0, 3)}`,
    received: randomReceived(random, machine),
    answerWanted: random.chance(0.5),
    agents: random.chance(0.9) ? ["rtc"] : ["datagram"],
  });
}

/** An agent that keeps its contract: it is connected when something was agreed on. */
function randomAttemptEvent(random: SeededRandom, connection: number, agreed: boolean): AttemptEvent {
  const ufrag = random.chance(0.8) ? "ours" : "else";
  const description = {
    sdp: `v=0\r\no=- o${random.integer(0, 9)} 0 IN IP4 0.0.0.0\r\n`,
    ufrag: "ours",
    pwd: "q".repeat(24),
  };
  return random.pick<AttemptEvent>([
    { type: "described", connection, description },
    { type: "accepted", connection },
    { type: "refused", connection, code: random.pick(codes) },
    { type: "made", connection, canRestart: random.chance(0.5) },
    { type: "candidate", connection, ufrag, candidate: candidate(random.integer(0, 99)) },
    { type: "candidates-complete", connection, ufrag },
    { type: "state", connection, state: random.pick(states), forged: random.chance(0.1) },
    { type: "state", connection, state: agreed ? "connected" : "failed", forged: false },
    { type: "negotiation-needed", connection },
    { type: "restart" },
  ]);
}

function disturb(random: SeededRandom, machine: Machine): void {
  const { attempts, sessions } = machine.peering;
  const attempt = attempts[random.integer(0, Math.max(0, attempts.length - 1))];
  const session = sessions[random.integer(0, Math.max(0, sessions.length - 1))];
  const connection = (attempt?.connection?.number ?? 0) - (random.chance(0.1) ? 1 : 0);
  const agreed = (attempt?.connection?.remoteEpoch ?? 0) > 0;
  const roll = random.integer(0, 99);
  if (roll < 40) {
    const welcome = random.pick(["yes", "yes", "no", "tell"] as const);
    machine.hear(randomDescription(random, machine), { instance: random.pick(instances), welcome });
  } else if (roll < 75) machine.tell(attempt?.id ?? sessionId(9), randomAttemptEvent(random, connection, agreed));
  else if (roll < 80) machine.take({ type: "want", wanted: random.chance(0.7) });
  else if (roll < 84) machine.take({ type: "answered", attempt: attempt?.id ?? sessionId(9) });
  else if (roll < 86) machine.take({ type: "network-changed" });
  else if (roll < 88) machine.take({ type: "restart", session: session?.number ?? 0 });
  else if (roll < 90) machine.take({ type: "close", session: session?.number ?? 0, reason: "done" });
  else machine.pass(random.pick([1, 20, 300, 3_000, 30_000]));
}

function candidate(index: number): Candidate {
  return {
    ...{ foundation: "1", component: 1, protocol: "udp", priority: 1, type: "host", address: "192.0.2.1" },
    ...{ port: index, tcpType: undefined, related: undefined },
  };
}

test.each(["controlling", "controlled"] as const)(`a %s one is not put out by anything (seed ${seed})`, (role) => {
  for (let run = 0; run < runs; run++) {
    const random = createSeededRandom(seed + run);
    const machine = createMachine({ role, reconnectMs: random.chance(0.5) ? 60_000 : Number.POSITIVE_INFINITY });
    for (let i = 0; i < eventsPerRun; i++) {
      disturb(random, machine);
      const { attempts, sessions, lastWords } = machine.peering;
      expect(attempts.length).toBeLessThanOrEqual(maxAttempts);
      expect(lastWords.length).toBeLessThanOrEqual(maxAttempts);
      expect(new Set(attempts.map(({ id }) => id)).size).toBe(attempts.length);
      expect(new Set(sessions.map(({ attempt }) => attempt)).size).toBe(sessions.length);
      for (const { connected, attempt: id } of sessions) {
        const carrier = attempts.find((each) => each.id === id);
        expect(connected).toBe(carrier?.connection?.state === "connected");
      }
    }
    // Whatever was, an order to end ends everything.
    machine.take({ type: "close-all", reason: "done" });
    expect(machine.peering).toMatchObject({ attempts: [], sessions: [], wanted: false });
    expect(machine.pass(3_600_000)).toEqual([]);
  }
});
