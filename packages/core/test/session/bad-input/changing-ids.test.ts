/** An accepted key that begins anew with each message, and each time names our session. */

import { expect, test } from "vitest";
import { fromHex } from "../../../src/bytes.ts";
import { maxAttempts } from "../../../src/session/peering-state.ts";
import { createStage, everybody, makeKeys } from "../support/stage.ts";
import { expectOpen } from "./support/calm.ts";
import { createPuppet, idOf, kinds, offers } from "./support/puppet.ts";

const keys = makeKeys();
const allowed = (ms: number): number => 8 + ms / 2_000;

test("a session id that changes with each message, though it names ours, does not cost a connection each", async () => {
  const stage = createStage(keys);
  const we = stage.start("controlled", everybody);
  const puppet = createPuppet(stage, we, keys[0]);
  for (let i = 0; i < 500; i++) {
    const ours = fromHex(stage.saidBy(we).at(-1)?.description.sessionId ?? "");
    const received = { sessionId: ours, epoch: 1n, kind: kinds.ANSWER, candidates: 1 };
    const sdp = `v=0\r\no=- puppet${i} 0 IN IP4 0.0.0.0\r\n`;
    await puppet.say(offers({ sessionId: idOf(i + 1), sdp, ...(i > 0 && { received }) }));
    await stage.clock.advance(40);
  }
  expect(we.agent.open).toBeLessThanOrEqual(maxAttempts);
  expect(we.agent.connections.length).toBeLessThanOrEqual(2 * allowed(stage.clock.now()));
  await stage.clock.advance(60_000);
  await expectOpen(stage, we, "controlling");
  await stage.end();
});

test("offers of ever new epochs and connections do not cost us a connection each", async () => {
  const stage = createStage(keys);
  const we = stage.start("controlled", everybody);
  const puppet = createPuppet(stage, we, keys[0]);
  for (let i = 0; i < 500; i++) {
    const ours = fromHex(stage.saidBy(we).at(-1)?.description.sessionId ?? "");
    const received = { sessionId: ours, epoch: BigInt(i), kind: kinds.ANSWER, candidates: 1 };
    const sdp = `v=0\r\no=- puppet${i} 0 IN IP4 0.0.0.0\r\n`;
    await puppet.say(offers({ epoch: BigInt(i + 1), ufrag: `ufrag${i}`, sdp, ...(i > 0 && { received }) }));
    await stage.clock.advance(40);
  }
  expect(we.agent.open).toBeLessThanOrEqual(maxAttempts);
  expect(we.agent.connections.length).toBeLessThanOrEqual(2 * allowed(stage.clock.now()));
  await stage.clock.advance(60_000);
  await expectOpen(stage, we, "controlling");
  await stage.end();
});
