/** Floods by a key that may come in, and by one that may not: bounded work, and counted. */

import { generatePrivateKey, type PrivateKey, WiceError } from "@wice/core";
import { createSeededRandom } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { fromHex } from "../../../src/bytes.ts";
import { maxAttempts } from "../../../src/session/peering-state.ts";
import { createCountingX25519 } from "../../support/counting-x25519.ts";
import { createStage, everybody, makeKeys, type Stage, watch } from "../support/stage.ts";
import { expectCalm, expectOpen } from "./support/calm.ts";
import { createPuppet, idOf, instanceOf, kinds, offers } from "./support/puppet.ts";

expectCalm();
const keys = makeKeys();
/** What a peer may cause: eight at once, and one every two seconds. */
const allowed = (ms: number): number => 8 + ms / 2_000;

describe.each([
  ["an offer", {}],
  ["a hello", { kind: kinds.HELLO, epoch: 0n, ufrag: "", pwd: "", sdp: "" }],
] as const)("a key that we accept floods us with a thousand sessions of %s", (_, fields) => {
  const role = "controlled";

  test.each([
    ["of one instance", () => instanceOf(1)],
    ["of an instance each", (i: number) => instanceOf(i)],
    ["of eight instances in turn", (i: number) => instanceOf(i % 8)],
  ] as const)("%s: attempts, connections and envelopes are few", async (_name, instance) => {
    const stage = createStage(keys);
    const we = stage.start(role, everybody);
    const puppet = createPuppet(stage, we, keys[0]);
    let open = 0;
    for (let i = 0; i < 1_000; i++) {
      await puppet.say(offers({ ...fields, sessionId: idOf(i + 1) }), { instance: instance(i) });
      await stage.clock.advance(20);
      open = Math.max(open, we.agent.open);
    }
    const ms = stage.clock.now();
    expect(open).toBeLessThanOrEqual(maxAttempts);
    expect(we.agent.connections.length).toBeLessThanOrEqual(allowed(ms));
    // Each attempt says its answer a few times.
    expect(stage.saidBy(we).length).toBeLessThanOrEqual(12 * allowed(ms));
    await stage.clock.advance(60_000);
    expect(we.agent.open).toBe(0);
    await expectOpen(stage, we, "controlling");
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });
});

describe("a session of ours is connected", () => {
  const connected = async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start("controlled", everybody), stage.start("controlling", everybody)];
    const session = await stage.clock.runUntil(we.call(they));
    await stage.clock.advance(1_000);
    return { stage, we, they, session, seen: watch(session), puppet: createPuppet(stage, we, keys[0]) };
  };

  test("and a flood of others of its key, of its own instance too, does not touch it", async () => {
    const { stage, we, they, session, seen, puppet } = await connected();
    for (let i = 0; i < 600; i++) {
      const instance = i % 3 === 0 ? they.backend.instance : instanceOf(i);
      await puppet.say(offers({ sessionId: idOf(i + 1), epoch: BigInt(1 + (i % 5)) }), { instance });
      await stage.clock.advance(20);
    }
    expect(seen).toEqual([]);
    expect(session.state).toBe("connected");
    expect(we.agent.open).toBeLessThanOrEqual(maxAttempts);
    await stage.end();
  });

  test("and its epochs going backwards change nothing", async () => {
    const { stage, we, they, session, seen, puppet } = await connected();
    for (let i = 0; i < 4; i++) {
      session.restart();
      await stage.clock.advance(1_000);
    }
    const hex = (id: string | undefined): Uint8Array => fromHex(id ?? "");
    const [ours, theirs] = [stage.saidBy(we).at(-1)?.description, stage.saidBy(they).at(-1)?.description];
    const received = { sessionId: hex(ours?.sessionId), epoch: 1n, kind: kinds.ANSWER, candidates: 1 };
    const calls = we.agent.connections[0]?.calls.length;
    for (const epoch of [4n, 3n, 2n, 1n, 3n, 1n])
      for (const kind of [kinds.OFFER, kinds.ANSWER]) {
        const answerTo = kind === kinds.ANSWER ? epoch : 0n;
        const fields = { sessionId: hex(theirs?.sessionId), epoch, kind, answerTo, received };
        await puppet.say(offers(fields), { instance: they.backend.instance });
        await stage.clock.advance(500);
      }
    expect(we.agent.connections.map((each) => each.calls.length)).toEqual([calls]);
    expect([seen, session.state]).toEqual([[], "connected"]);
    await stage.end();
  });
});

test("an agent that cannot make connections is not asked for one with each message of a flood", async () => {
  const stage = createStage(keys);
  let asked = 0;
  const broken = (): WiceError => {
    asked += 1;
    return new WiceError("unsupported", "no more connections");
  };
  const we = stage.start("controlled", { ...everybody, agent: { broken } });
  const puppet = createPuppet(stage, we, keys[0]);
  for (let i = 0; i < 500; i++) {
    await puppet.say(offers({ sessionId: idOf(1 + (i % 3)) }), { instance: instanceOf(i % 3) });
    await stage.clock.advance(20);
  }
  expect(asked).toBeGreaterThan(3);
  expect(asked).toBeLessThan(50);
  await stage.end();
});

describe("a key that accept declines", () => {
  test("costs no attempt, connection or envelope, and one key agreement, however much it says", async () => {
    const x25519 = createCountingX25519();
    const { bytes } = createSeededRandom(3);
    const [one, two] = [0, 1]
      .map(() => generatePrivateKey({ random: bytes, x25519 }))
      .toSorted((a, b) => a.publicKey.compare(b.publicKey)) as [PrivateKey, PrivateKey];
    const stage: Stage = createStage([one, two]);
    let asked = 0;
    const accept = (): boolean => {
      asked += 1;
      return false;
    };
    const we = stage.start("controlled", { peer: { accept } });
    const puppet = createPuppet(stage, we, one);
    await puppet.say(offers());
    const agreements = (): number => x25519.agreements.filter((key) => key.equals(one.publicKey)).length;
    const first = agreements();
    for (let i = 0; i < 500; i++) await puppet.say(offers({ sessionId: idOf(i) }), { instance: instanceOf(i % 50) });
    await stage.clock.advance(60_000);
    expect(asked).toBeGreaterThan(400);
    expect([we.agent.connections.length, stage.saidBy(we).length, we.sessions.length]).toEqual([0, 0, 0]);
    expect(stage.wire.envelopes).toEqual([]);
    expect(agreements() - first).toBe(0);
    expect(first).toBeLessThanOrEqual(1);
    expect(we.peer.explain(one.publicKey).code).toBe("idle");
    await stage.end();
  });

  test("and is told so costs an envelope now and then, and no connection", async () => {
    const stage = createStage(keys);
    const we = stage.start("controlled", { peer: { accept: () => "tell" } });
    const puppet = createPuppet(stage, we, keys[0]);
    for (let i = 0; i < 500; i++) {
      await puppet.say(offers({ sessionId: idOf(i + 1) }), { instance: instanceOf(i) });
      await stage.clock.advance(20);
    }
    expect(we.agent.connections).toHaveLength(0);
    expect(stage.saidBy(we).length).toBeLessThanOrEqual(allowed(stage.clock.now()) + 1);
    await stage.end();
  });
});
