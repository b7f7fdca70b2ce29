/** DESIGN 6, "Roles". */

import { type Candidate, electRole, rtc } from "@wice/core";
import { describe, expect, test } from "vitest";
import { maxCandidates } from "../../../src/session/description.ts";
import { createMachine, describes, doings, echoOf, type Machine, meetCaller, sessionId } from "../support/machine.ts";
import { type ActorOptions, createStage, everybody, makeKeys, type Stage } from "../support/stage.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;

const candidate = (port: number): Candidate => ({
  ...{ foundation: "1", component: 1, protocol: "udp", priority: 1, type: "host", address: "192.0.2.1", port },
  ...{ tcpType: undefined, related: undefined },
});
const made = (name: string) => ({ sdp: `v=0\r\no=- ${name} 0 IN IP4 0.0.0.0\r\n`, ufrag: name, pwd: "q".repeat(24) });

test("the peer with the smaller key is controlling", () => {
  const [small, large] = keys;
  expect(electRole(small.publicKey, large.publicKey)).toBe("controlling");
  expect(electRole(large.publicKey, small.publicKey)).toBe("controlled");
});

describe("the initial offer", () => {
  /** Two agents, the second of which nobody else has. */
  const both = (stage: Stage): ActorOptions => ({
    agents: (agent) => [agent, stage.paths.agent({ name: "datagram" })],
  });

  test.each(roles)("is in the first message of the %s peer, when it calls", async (role) => {
    const stage = createStage(keys);
    const [caller, called] = [stage.start(role), stage.start(other[role], everybody)];
    await stage.clock.runUntil(caller.call(called));
    expect(stage.saidBy(caller)[0]?.description).toMatchObject({ kind: "offer", epoch: 1 });
    expect(stage.saidBy(called).map(({ description }) => description.kind)).not.toContain("offer");
    await stage.end();
  });

  test("is the controlling one's, asked or not, when the caller waits for its choice of an agent", async () => {
    const stage = createStage(keys);
    const [caller, called] = [stage.start("controlled", both(stage)), stage.start("controlling", everybody)];
    await stage.clock.runUntil(caller.call(called));
    expect(stage.saidBy(called)[0]?.description).toMatchObject({ kind: "offer", epoch: 1 });
    expect(stage.saidBy(caller).map(({ description }) => description.kind)).not.toContain("offer");
    await stage.end();
  });

  test("and such a caller makes no connection before", async () => {
    const stage = createStage(keys);
    const caller = stage.start("controlled", both(stage));
    caller.call(stage.start("controlling")).catch(() => {});
    await stage.clock.advance(20_000);
    expect(caller.agent.connections).toHaveLength(0);
    expect(new Set(stage.saidBy(caller).map(({ description }) => description.kind))).toEqual(new Set(["hello"]));
    await stage.end();
  });

  test.each([true, false])("of the controlling one stands when both call (rollback: %o)", async (canRollBack) => {
    const stage = createStage(keys);
    const options: ActorOptions = { ...everybody, agent: { canRollBack } };
    const [controlling, controlled] = [stage.start("controlling", options), stage.start("controlled", options)];
    const sessions = await stage.clock.runUntil(
      Promise.all([controlling.call(controlled), controlled.call(controlling)]),
    );
    expect(stage.saidBy(controlling)[0]?.description.kind).toBe("offer");
    expect(controlled.agent.connections[0]?.calls).toContain("offer");
    expect(stage.saidBy(controlling).map(({ description }) => description.kind)).not.toContain("answer");
    expect(sessions.map(({ state }) => state)).toEqual(["connected", "connected"]);
    expect(stage.clock.now()).toBeLessThan(200);
    await stage.end();
  });
});

describe.each(roles)("we are the %s one", (role) => {
  test("either side may offer later, and the other answers on the same connection", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role), stage.start(other[role], everybody)];
    const session = await stage.clock.runUntil(we.call(they));
    await stage.clock.advance(1_000);
    const [ours, theirs] = [we.agent.connections[0], they.agent.connections[0]];
    const before = [ours?.calls.length ?? 0, theirs?.calls.length ?? 0] as const;
    ours?.needNegotiation();
    await stage.clock.advance(1_000);
    expect(ours?.calls.slice(before[0])).toEqual(expect.arrayContaining(["offer", "accept"]));
    expect(theirs?.calls.slice(before[1])).toEqual(expect.arrayContaining(["answer"]));
    expect([session.state, we.agent.connections.length, they.agent.connections.length]).toEqual(["connected", 1, 1]);
    await stage.end();
  });

  test("both offering at once end up with one answer to one offer, and go on", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role), stage.start(other[role], everybody)];
    const session = await stage.clock.runUntil(we.call(they));
    await stage.clock.advance(1_000);
    const all = [we, they].map(({ agent }) => agent.connections[0]);
    const before = all.map((connection) => connection?.calls.length ?? 0);
    for (const connection of all) connection?.needNegotiation();
    await stage.clock.advance(2_000);
    const after = all.map((connection, index) => connection?.calls.slice(before[index]) ?? []);
    const [controlling = [], controlled = []] = role === "controlling" ? after : after.toReversed();
    expect(controlling.slice(0, 2)).toEqual(["offer", "accept"]);
    expect(controlled.slice(0, 2)).toEqual(["offer", "answer"]);
    expect(session.state).toBe("connected");
    await stage.end();
  });
});

describe("epochs", () => {
  /** A machine whose session is at epoch 1. */
  function connected(role: (typeof roles)[number]): { machine: Machine; ours: string } {
    const machine = createMachine({ role });
    if (role === "controlled") return { machine, ours: meetCaller(machine).ours };
    machine.take({ type: "want", wanted: true });
    const ours = machine.peering.attempts[0]?.id ?? "";
    machine.tell(ours, { type: "described", connection: 1, description: made("ours") });
    machine.pass(20);
    const received = echoOf(machine, ours);
    machine.hear(describes({ sessionId: sessionId(1), kind: "answer", received }));
    machine.tell(ours, { type: "accepted", connection: 1 });
    machine.tell(ours, { type: "state", connection: 1, state: "connected", forged: false });
    return { machine, ours };
  }
  const operation = (machine: Machine) => machine.peering.attempts[0]?.operation;
  const local = (machine: Machine) => machine.peering.attempts[0]?.local;

  test("an answer names the epoch of the offer that it answers", () => {
    const { machine, ours } = connected("controlling");
    const received = echoOf(machine, ours);
    machine.hear(describes({ sessionId: sessionId(1), kind: "offer", epoch: 7, ufrag: "new1", received }));
    machine.tell(ours, { type: "described", connection: 1, description: made("again") });
    expect(local(machine)).toMatchObject({ kind: "answer", epoch: 7 });
  });

  test("are one counter for both sides: a new offer takes the largest and one more", () => {
    const { machine, ours } = connected("controlling");
    const at = { sessionId: sessionId(1), kind: "offer", epoch: 7, ufrag: "new1" } as const;
    machine.hear(describes({ ...at, received: echoOf(machine, ours) }));
    machine.tell(ours, { type: "described", connection: 1, description: made("again") });
    machine.pass(20);
    machine.hear(describes({ ...at, received: echoOf(machine, ours) }));
    machine.tell(ours, { type: "negotiation-needed", connection: 1 });
    expect(operation(machine)).toMatchObject({ type: "offer", epoch: 8 });
  });

  test("an answer to another epoch than ours is not taken", () => {
    const { machine, ours } = connected("controlling");
    machine.tell(ours, { type: "negotiation-needed", connection: 1 });
    machine.tell(ours, { type: "described", connection: 1, description: made("second") });
    const received = echoOf(machine, ours);
    const late = describes({ sessionId: sessionId(1), kind: "answer", epoch: 1, received });
    expect(doings(machine.hear(late))).not.toContain("accept");
    expect(doings(machine.hear({ ...late, epoch: 2 }))).toContain("accept");
  });

  test("a new offer is later than one of the peer's that we could not take", () => {
    const { machine, ours } = connected("controlling");
    const at = { sessionId: sessionId(1), kind: "offer", epoch: 7, ufrag: "new1" } as const;
    machine.hear(describes({ ...at, received: echoOf(machine, ours) }));
    machine.tell(ours, { type: "refused", connection: 1, code: "invalid-message" });
    machine.tell(ours, { type: "negotiation-needed", connection: 1 });
    expect(operation(machine)).toMatchObject({ type: "offer", epoch: 8 });
  });

  test("a description of an epoch that is past does not take the place of a later one", () => {
    const { machine, ours } = connected("controlling");
    const at = { sessionId: sessionId(1), kind: "offer", ufrag: "new1", received: echoOf(machine, ours) } as const;
    machine.hear(describes({ ...at, epoch: 7 }));
    machine.tell(ours, { type: "described", connection: 1, description: made("again") });
    machine.hear(describes({ ...at, epoch: 3 }));
    expect(machine.peering.attempts[0]?.remote).toMatchObject({ epoch: 7 });
  });

  test("an offer of an epoch that is past is not answered", () => {
    const { machine, ours } = connected("controlling");
    const received = echoOf(machine, ours);
    expect(
      doings(machine.hear(describes({ sessionId: sessionId(1), kind: "offer", epoch: 1, received }))),
    ).not.toContain("answer");
  });

  test("at equal epochs the offer of the controlling peer stands", () => {
    const { machine, ours } = connected("controlling");
    machine.tell(ours, { type: "negotiation-needed", connection: 1 });
    machine.tell(ours, { type: "described", connection: 1, description: made("second") });
    const theirs = describes({ sessionId: sessionId(1), kind: "offer", epoch: 2, received: echoOf(machine, ours) });
    expect(doings(machine.hear(theirs))).not.toContain("answer");
    expect(local(machine)).toMatchObject({ kind: "offer", epoch: 2, ...made("second") });
  });

  test("at equal epochs the controlled peer, the polite one, takes its own offer back and answers", () => {
    const { machine, ours } = connected("controlled");
    machine.hear(describes({ sessionId: sessionId(1), kind: "offer", received: echoOf(machine, ours) }));
    machine.tell(ours, { type: "negotiation-needed", connection: 1 });
    expect(operation(machine)).toMatchObject({ type: "offer", epoch: 2 });
    machine.tell(ours, { type: "described", connection: 1, description: made("second") });
    expect(local(machine)).toMatchObject({ kind: "offer", epoch: 2 });
    const at = { kind: "offer", epoch: 2, received: echoOf(machine, ours) } as const;
    expect(doings(machine.hear(describes({ sessionId: sessionId(1), ...at })))).toContain("answer");
    machine.tell(ours, { type: "described", connection: 1, description: made("third") });
    expect(local(machine)).toMatchObject({ kind: "answer", epoch: 2, ...made("third") });
  });
});

describe("candidates", () => {
  test("belong to their ufrag: one of another is not told the peer", () => {
    const machine = createMachine({ role: "controlling" });
    machine.take({ type: "want", wanted: true });
    const id = machine.peering.attempts[0]?.id ?? "";
    machine.tell(id, { type: "described", connection: 1, description: made("ours") });
    machine.tell(id, { type: "candidate", connection: 1, ufrag: "else", candidate: candidate(1) });
    machine.tell(id, { type: "candidate", connection: 1, ufrag: "ours", candidate: candidate(2) });
    expect(machine.peering.attempts[0]?.local.candidates).toEqual([candidate(2)]);
  });

  test("of the peer are not given to a connection that does not have their description: they wait for it", () => {
    const machine = createMachine({ role: "controlled" });
    const offer = { sessionId: sessionId(1), kind: "offer" } as const;
    machine.hear(describes({ ...offer, candidates: [candidate(1)] }));
    const id = machine.peering.attempts[0]?.id ?? "";
    const early = [
      ...machine.hear(describes({ ...offer, candidates: [candidate(1), candidate(2)] })),
      ...machine.hear(
        describes({ ...offer, candidates: [candidate(1), candidate(2), candidate(3)], candidatesComplete: true }),
      ),
    ];
    expect(doings(early)).not.toContain("candidates");
    const effects = machine.tell(id, { type: "described", connection: 1, description: made("ours") });
    const fed = effects.flatMap((each) => (each.type === "attempt" ? [each.effect] : []));
    expect(fed).toContainEqual({ type: "candidates", connection: 1, candidates: [1, 2, 3].map(candidate) });
    expect(fed).toContainEqual({ type: "candidates-complete", connection: 1 });
  });

  test("of an offer that gives way to ours are not given to the connection", () => {
    const machine = createMachine({ role: "controlling" });
    machine.take({ type: "want", wanted: true });
    const id = machine.peering.attempts[0]?.id ?? "";
    machine.tell(id, { type: "described", connection: 1, description: made("ours") });
    const theirs = describes({ sessionId: sessionId(1), kind: "offer", candidates: [candidate(1)] });
    expect(doings(machine.hear({ ...theirs, received: echoOf(machine, id) }))).not.toContain("candidates");
  });

  test("of the epoch before are not given to a connection that has restarted", () => {
    const machine = createMachine({ role: "controlled" });
    const { ours } = meetCaller(machine);
    const offer = {
      sessionId: sessionId(1),
      kind: "offer",
      epoch: 2,
      ufrag: "new1",
      received: echoOf(machine, ours),
    } as const;
    machine.hear(describes(offer));
    const late = describes({
      sessionId: sessionId(1),
      kind: "offer",
      candidates: [candidate(9)],
      received: offer.received,
    });
    machine.hear(late);
    const effects = machine.tell(ours, { type: "described", connection: 1, description: made("again") });
    expect([...effects, ...machine.hear(late)].flatMap((each) => doings([each]))).not.toContain("candidates");
  });

  test("are told once each: later ones do not repeat earlier ones", () => {
    const machine = createMachine({ role: "controlled" });
    const { ours } = meetCaller(machine);
    const offer = { sessionId: sessionId(1), kind: "offer", received: echoOf(machine, ours) } as const;
    machine.hear(describes({ ...offer, candidates: [candidate(1)] }));
    const effects = machine.hear(describes({ ...offer, candidates: [candidate(1), candidate(2)] }));
    const fed = effects.flatMap((each) => (each.type === "attempt" ? [each.effect] : []));
    expect(fed).toContainEqual({ type: "candidates", connection: 1, candidates: [candidate(2)] });
  });

  test("that we find are bounded", () => {
    const machine = createMachine({ role: "controlling" });
    machine.take({ type: "want", wanted: true });
    const id = machine.peering.attempts[0]?.id ?? "";
    machine.tell(id, { type: "described", connection: 1, description: made("ours") });
    for (let port = 1; port <= 1_000; port++)
      machine.tell(id, { type: "candidate", connection: 1, ufrag: "ours", candidate: candidate(port) });
    expect(machine.peering.attempts[0]?.local.candidates).toHaveLength(maxCandidates);
  });
});

test("all goes over one transport: max-bundle, and rtcp-mux", async () => {
  const configurations: unknown[] = [];
  class Recording {
    constructor(given: unknown) {
      configurations.push(given);
      throw new Error("enough");
    }
  }
  const agent = rtc({ RTCPeerConnection: Recording as never });
  const events = new Proxy({}, { get: () => () => {} }) as never;
  const connect = async () => agent.connect({ role: "controlling", events }).offer({ restart: false });
  await connect().catch(() => {});
  expect(configurations.length).toBeGreaterThan(0);
  for (const each of configurations)
    expect(each).toMatchObject({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
});
