/** The state machine of one remote key by itself: time, chance and what others do are what the test says. */

import type { Role } from "@wice/core";
import type { AttemptEvent } from "../../../src/session/attempt-state.ts";
import type { Description } from "../../../src/session/description.ts";
import { peeringDeadline, stepPeering } from "../../../src/session/peering.ts";
import {
  createPeering,
  type Peering,
  type PeeringContext,
  type PeeringEffect,
  type PeeringEvent,
  type Welcome,
} from "../../../src/session/peering-state.ts";

export interface Machine {
  readonly peering: Peering;
  readonly nowMs: number;
  take(event: PeeringEvent): readonly PeeringEffect[];
  hear(description: Description, options?: { instance?: string; welcome?: Welcome }): readonly PeeringEffect[];
  /** Something that happens to an attempt; its latest connection is meant where one is. */
  tell(attempt: string, event: AttemptEvent): readonly PeeringEffect[];
  /** Lets time pass, with every tick that is due. */
  pass(ms: number): readonly PeeringEffect[];
}

export interface MachineOptions extends Partial<PeeringContext> {
  readonly role: Role;
  /** Every path answers when it is asked. Default false. */
  readonly answersProbes?: boolean;
}

export function createMachine({ answersProbes = false, ...options }: MachineOptions): Machine {
  const context: PeeringContext = {
    agents: ["rtc"],
    reconnectMs: Number.POSITIVE_INFINITY,
    reconnectIncomingMs: 60_000,
    ...options,
  };
  let nowMs = 0;
  let ids = 0;
  let peering = createPeering({ nowMs });

  const take = (event: PeeringEvent): readonly PeeringEffect[] => {
    ids += 2;
    const input = { nowMs, jitter: 0.5, freshId: sessionId(1_000 + ids), secondId: sessionId(1_001 + ids) };
    const step = stepPeering(freeze(peering), freeze(event), freeze(context), freeze(input));
    peering = step.peering;
    const asked = answersProbes ? step.effects.filter(({ type }) => type === "probe") : [];
    const after = asked.flatMap((effect) => ("attempt" in effect ? answer(effect.attempt) : []));
    return [...step.effects, ...after];
  };
  const answer = (attempt: unknown): readonly PeeringEffect[] =>
    typeof attempt === "string" ? take({ type: "answered", attempt }) : [];

  return {
    get peering() {
      return peering;
    },
    get nowMs() {
      return nowMs;
    },
    take,
    hear: (description, { instance = instances[0], welcome = "yes" } = {}) =>
      take({ type: "message", instance, description, welcome }),
    tell: (attempt, event) => take({ type: "attempt", attempt, event }),
    pass(ms) {
      const untilMs = nowMs + ms;
      const effects: PeeringEffect[] = [];
      let ticks = 0;
      for (;;) {
        const dueMs = Math.max(nowMs, peeringDeadline(peering, context));
        if (dueMs > untilMs) break;
        // What is done must not be due any more.
        ticks = dueMs > nowMs ? 0 : ticks + 1;
        if (ticks > 100) throw new Error(`a tick at ${nowMs} ms is due for ever`);
        nowMs = dueMs;
        effects.push(...take({ type: "tick" }));
      }
      nowMs = untilMs;
      return effects;
    },
  };
}

export const instances = ["a".repeat(32), "b".repeat(32), "c".repeat(32)] as const;

/** 32 hexadecimal digits. */
export function sessionId(number: number): string {
  return number.toString(16).padStart(32, "0");
}

/** What a peer says: a hello, unless it is told otherwise. */
export function describes(fields: Partial<Description> & Pick<Description, "sessionId">): Description {
  const kind = fields.kind ?? "hello";
  const isHello = kind === "hello";
  const origin = fields.sessionId.slice(-8);
  return {
    kind,
    epoch: isHello ? 0 : 1,
    sdp: isHello ? "" : `v=0\r\no=- ${origin} 0 IN IP4 0.0.0.0\r\n`,
    ufrag: isHello ? "" : "ufra",
    pwd: isHello ? "" : "p".repeat(24),
    candidates: [],
    candidateCount: fields.candidates?.length ?? 0,
    candidatesComplete: false,
    agents: ["rtc"],
    received: undefined,
    close: undefined,
    answerWanted: false,
    ...fields,
  };
}

/** What an attempt of the machine's has said, as the peer echoes it. */
export function echoOf({ peering }: Machine, id: string): NonNullable<Description["received"]> {
  const attempt = peering.attempts.find((each) => each.id === id);
  if (attempt === undefined) throw new Error("no such attempt");
  const { kind, epoch, candidates } = attempt.local;
  return { sessionId: id, kind, epoch, candidates: candidates.length };
}

/** The peer calls, and its session is connected. Returns the ids of both sides. */
export function meetCaller(
  machine: Machine,
  theirs = sessionId(1),
  instance: string = instances[0],
): { readonly ours: string; readonly theirs: string } {
  machine.hear(describes({ sessionId: theirs, kind: "offer" }), { instance });
  const ours = machine.peering.attempts.find(({ remoteId }) => remoteId === theirs)?.id;
  if (ours === undefined) throw new Error("the machine did not take the call");
  machine.tell(ours, {
    ...{ type: "described", connection: 1 },
    description: { sdp: "v=0\r\no=- ours 0 IN IP4 0.0.0.0\r\n", ufrag: "ours", pwd: "q".repeat(24) },
  });
  machine.pass(20);
  machine.hear(describes({ sessionId: theirs, kind: "offer", received: echoOf(machine, ours) }), { instance });
  machine.tell(ours, { type: "state", connection: 1, state: "connected", forged: false });
  return { ours, theirs };
}

/** The effects on attempts, by their own type. */
export function doings(effects: readonly PeeringEffect[]): readonly string[] {
  return effects.flatMap((effect) => (effect.type === "attempt" ? [effect.effect.type] : []));
}

/** Whoever changes what it was given is found out. */
function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const each of Object.values(value)) freeze(each);
  return Object.freeze(value);
}
