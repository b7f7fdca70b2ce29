import { decodeEnvelope, encodeEnvelope, generatePrivateKey, type PrivateKey } from "@wice/core";
import { describe, expect, test } from "vitest";
import { randomBytes } from "../../src/bytes.ts";
import type { Description } from "../../src/session/description.ts";
import { writeDescription } from "../../src/session/description.ts";
import { createInBandSeal } from "../../src/session/in-band-seal.ts";

const description: Description = {
  ...{ sessionId: "ab".repeat(16), kind: "hello", epoch: 0, sdp: "", ufrag: "", pwd: "", agents: ["rtc"] },
  ...{ candidates: [], candidateCount: 0, candidatesComplete: false, answerWanted: true },
  ...{ received: undefined, close: undefined },
};
const message = { session: writeDescription(description) };

async function sealOf(ours: PrivateKey, theirs: PrivateKey) {
  const seal = createInBandSeal({ ours, theirs: theirs.publicKey }, randomBytes);
  const failures: unknown[] = [];
  seal.prepare((error) => failures.push(error));
  await expect.poll(() => seal.seal(message)).toBeInstanceOf(Uint8Array);
  expect(failures).toEqual([]);
  return seal;
}

describe("a message that goes in-band", () => {
  const [alice, bob, mallory] = [generatePrivateKey(), generatePrivateKey(), generatePrivateKey()];

  test("is opened by the peer, in both directions", async () => {
    const [ours, theirs] = [await sealOf(alice, bob), await sealOf(bob, alice)];
    expect(theirs.open(ours.seal(message) as Uint8Array)).toEqual(description);
    expect(ours.open(theirs.seal(message) as Uint8Array)).toEqual(description);
  });

  test("is refused by the one who has sent it, though the box is the same in both directions", async () => {
    for (const [ours, theirs] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const seal = await sealOf(ours, theirs);
      const sent = seal.seal(message) as Uint8Array<ArrayBuffer>;
      // What a peer that sends it back writes on the envelope.
      const { sender, recipient, ...box } = decodeEnvelope(sent);
      expect(seal.open(encodeEnvelope({ ...box, sender: recipient, recipient: sender }))).toBeUndefined();
    }
  });

  test("is not opened by others, nor when it was altered", async () => {
    const [ours, theirs] = [await sealOf(alice, bob), await sealOf(bob, alice)];
    const sent = ours.seal(message) as Uint8Array<ArrayBuffer>;
    expect((await sealOf(mallory, alice)).open(sent)).toBeUndefined();
    const envelope = decodeEnvelope(sent);
    for (const part of ["body", "nonce"] as const) {
      for (let index = 0; index < envelope[part].length; index += 1) {
        const altered = envelope[part].map((byte, at) => (at === index ? byte ^ 1 : byte));
        expect(theirs.open(encodeEnvelope({ ...envelope, [part]: altered }))).toBeUndefined();
      }
    }
    expect(theirs.open(new Uint8Array())).toBeUndefined();
  });

  test("without a description says nothing", async () => {
    const [ours, theirs] = [await sealOf(alice, bob), await sealOf(bob, alice)];
    expect(theirs.open(ours.seal({ payload: new Uint8Array(1) }) as Uint8Array)).toBeUndefined();
  });
});

test("nothing is sealed or opened before there is a key", () => {
  const seal = createInBandSeal({ ours: generatePrivateKey(), theirs: generatePrivateKey().publicKey }, randomBytes);
  expect(seal.seal(message)).toBeUndefined();
  expect(seal.open(new Uint8Array(100))).toBeUndefined();
});
