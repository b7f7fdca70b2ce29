/** Descriptions that no honest peer would send: ignored, or taken as far as they make sense, and never an exception. */

import { WiceError } from "@wice/core";
import { describe, expect, test } from "vitest";
import { fromHex } from "../../../src/bytes.ts";
import { CandidateType, NetworkType } from "../../../src/gen/cunicu/epdisc/epdisc_pb.ts";
import type { SessionDescription_Close_Cause as Cause } from "../../../src/gen/wice/v1/message_pb.ts";
import { createStage, everybody, makeKeys } from "../support/stage.ts";
import { expectCalm, expectOpen } from "./support/calm.ts";
import { createPuppet, idOf, kinds, offers, type WireDescription } from "./support/puppet.ts";

expectCalm();
const keys = makeKeys();

/** We are controlled, and accept everybody. */
function scene() {
  const stage = createStage(keys);
  const we = stage.start("controlled", everybody);
  return { stage, we, puppet: createPuppet(stage, we, keys[0]) };
}

const good = {
  ...{ type: CandidateType.HOST, networkType: NetworkType.UDP4, foundation: "1", component: 1, priority: 1 },
  ...{ address: "192.0.2.7", port: 7 },
};

describe("ignored, without a connection or a word in return", () => {
  const cases: Record<string, WireDescription> = {
    "no session id": { sessionId: new Uint8Array() },
    "a session id of 15 bytes": { sessionId: new Uint8Array(15) },
    "a session id of 17 bytes": { sessionId: new Uint8Array(17) },
    "a session id of 60,000 bytes": { sessionId: new Uint8Array(60_000) },
    "no kind": { kind: kinds.UNSPECIFIED },
    "a kind of the future": { kind: 99 as typeof kinds.OFFER },
    "an offer of epoch 0": { epoch: 0n },
    "an offer of a negative epoch": { epoch: -1n },
    "an epoch that no number can hold": { epoch: 2n ** 53n },
    "the largest epoch that the wire can hold": { epoch: 2n ** 63n - 1n },
    "a hello of a negative epoch": { kind: kinds.HELLO, epoch: -1n, ufrag: "", pwd: "" },
    "a hello that has credentials": { kind: kinds.HELLO, epoch: 0n },
    "an answer to another epoch than its own": { kind: kinds.ANSWER, answerTo: 2n },
    "a ufrag of 3 characters": { ufrag: "abc" },
    "a ufrag of 257 characters": { ufrag: "a".repeat(257) },
    "a ufrag with a line break": { ufrag: "abcd\r\na=x" },
    "a ufrag that is not ASCII": { ufrag: "äöüß" },
    "no ufrag": { ufrag: "" },
    "a pwd of 21 characters": { pwd: "p".repeat(21) },
    "a pwd of 257 characters": { pwd: "p".repeat(257) },
    "a pwd with a line break": { pwd: `${"p".repeat(22)}\n` },
    "no pwd": { pwd: "" },
    "an SDP of 65,537 characters": { sdp: `v=0\r\n${"a".repeat(65_532)}` },
    "an SDP of a million characters": { sdp: `v=0\r\n${"a".repeat(1_000_000)}` },
  };

  test.each(Object.entries(cases))("%s", async (_, fields) => {
    const { stage, we, puppet } = scene();
    for (let i = 0; i < 20; i++) await puppet.say(offers(fields));
    await stage.clock.advance(60_000);
    expect([we.agent.connections.length, stage.saidBy(we).length, we.sessions.length]).toEqual([0, 0, 0]);
    await expectOpen(stage, we, "controlling");
    await stage.end();
  });

  test("an end of a session that there is not, whatever it says", async () => {
    const { stage, we, puppet } = scene();
    for (const cause of [0, 1, 2, 3, 77]) {
      const close = { cause: cause as Cause, reason: "x".repeat(10_000) };
      await puppet.say(offers({ close }));
      await puppet.say(offers({ close, received: { sessionId: idOf(9), epoch: 1n, kind: kinds.OFFER } }));
    }
    await stage.clock.advance(60_000);
    expect([we.agent.connections.length, stage.saidBy(we).length]).toEqual([0, 0]);
    await stage.end();
  });
});

describe("taken as far as they make sense", () => {
  const unusable = [
    {},
    { ...good, type: 0 },
    { ...good, type: 42 as CandidateType },
    { ...good, networkType: 0 },
    { ...good, address: "" },
    { ...good, address: "192.0.2.1 typ relay" },
    { ...good, address: "192.0.2.1\r\na=evil:1" },
    { ...good, address: "a".repeat(10_000) },
    { ...good, port: -1 },
    { ...good, port: 65_536 },
    { ...good, priority: -1 },
    { ...good, component: 0 },
    { ...good, component: 1_000_000 },
    { ...good, foundation: "" },
    { ...good, foundation: "a b" },
    { ...good, foundation: "f".repeat(33) },
    { ...good, relatedAddress: { address: "bad address", port: 1 } },
  ];

  test("of candidates that do not parse, the agent hears nothing; and of those beside them it does", async () => {
    const { stage, we, puppet } = scene();
    await puppet.say(offers({ candidates: [...unusable, good, ...unusable] }));
    await stage.clock.advance(100);
    expect(we.agent.connections[0]?.calls).toEqual(["answer", "1 candidates"]);
    expect(stage.saidBy(we).at(-1)?.description.received?.candidates).toBe(2 * unusable.length + 1);
    await expectOpen(stage, we, "controlling");
    await stage.end();
  });

  test("of thousands of candidates, the agent gets 64 at most", async () => {
    const { stage, we, puppet } = scene();
    const candidates = Array.from({ length: 5_000 }, (_, index) => ({ ...good, port: 1 + index }));
    await puppet.say(offers({ candidates }));
    await stage.clock.advance(1_000);
    expect(we.agent.connections[0]?.calls).toEqual(["answer", "64 candidates"]);
    await expectOpen(stage, we, "controlling");
    await stage.end();
  });

  test("thousands of messages with a candidate more each get an answer now and then", async () => {
    const { stage, we, puppet } = scene();
    await puppet.say(offers());
    await stage.clock.advance(1_000);
    const before = stage.saidBy(we).length;
    for (let count = 1; count <= 1_000; count++) {
      const candidates = Array.from({ length: Math.min(70, count) }, (_, index) => ({ ...good, port: 1 + index }));
      await puppet.say(offers({ candidates }));
      await stage.clock.advance(5);
    }
    expect(stage.saidBy(we).length - before).toBeLessThan(5_000 / 150 + 10);
    expect(we.agent.connections).toHaveLength(1);
    await stage.end();
  });

  test("agents that nobody knows, and thousands of them, are left out", async () => {
    const { stage, we, puppet } = scene();
    await puppet.say(offers({ agents: [...Array.from({ length: 3_000 }, (_, i) => `agent ${i}`), "rtc"] }));
    await stage.clock.advance(100);
    expect(we.agent.connections[0]?.calls[0]).toBe("answer");
    await stage.end();
  });

  test("an SDP that is none is refused by the agent once, however often it is repeated", async () => {
    const { stage, we, puppet } = scene();
    for (let i = 0; i < 200; i++) {
      await puppet.say(offers({ sdp: `nonsense ${"x".repeat(1_000)}` }));
      await stage.clock.advance(50);
    }
    const answers = we.agent.connections.flatMap(({ calls }) => calls).filter((call) => call === "answer");
    expect(answers).toHaveLength(1);
    expect(we.agent.connections).toHaveLength(1);
    expect(stage.saidBy(we).length).toBeLessThan(10_000 / 250 + 10);
    await expectOpen(stage, we, "controlling");
    await stage.end();
  });

  test("a reason that is long and not ASCII reaches the application short and printable", async () => {
    const { stage, we, puppet } = scene();
    const honest = stage.start("controlling", everybody);
    const session = await stage.clock.runUntil(we.call(honest));
    await stage.clock.advance(1_000);
    const [ours] = stage.saidBy(we).slice(-1);
    const [theirs] = stage.saidBy(honest).slice(-1);
    if (ours === undefined || theirs === undefined) throw new Error("nobody has said anything");
    await puppet.say(
      offers({
        sessionId: fromHex(theirs.description.sessionId),
        received: { sessionId: fromHex(ours.description.sessionId), epoch: 1n, kind: kinds.ANSWER, candidates: 1 },
        close: { reason: `\u001b[2J\r\n\u202e${"☃".repeat(50_000)}`, cause: 0 },
      }),
      { instance: honest.backend.instance },
    );
    const end = await stage.clock.runUntil(session.closed);
    expect(end.cause).toBe("closed-by-peer");
    expect(end.reason).toMatch(/^[\x20-\x7e]{0,128}$/);
    await stage.end();
  });
});

describe("a wrong fingerprint", () => {
  test("is refused, tried twice more, and then said so and not tried again in haste", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start("controlling", { agent: { blocked: true } }), stage.start("controlled", everybody)];
    const call = we.call(they);
    call.catch(() => {});
    await stage.clock.advance(1_000);
    const forged = new WiceError("forged", "the certificate is not the one that was named");
    for (let i = 0; i < 2; i++) {
      we.agent.connections[i]?.fail(forged);
      await stage.clock.advance(1_000);
      expect(we.agent.connections.length).toBe(i + 2);
    }
    we.agent.connections[2]?.fail(forged);
    await stage.clock.advance(0);
    expect(we.peer.explain(they.key.publicKey).code).toBe("forged");
    const offersMade = (): number =>
      we.agent.connections.flatMap(({ calls }) => calls).filter((call) => call === "offer" || call === "restart")
        .length;
    const before = offersMade();
    await stage.clock.advance(10_000);
    expect(offersMade()).toBe(before);
    expect(we.sessions).toEqual([]);
    await stage.end();
  });
});
