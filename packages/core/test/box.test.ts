import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  generatePrivateKey,
  open,
  PublicKey,
  parsePrivateKey,
  seal,
} from "@wice/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { agreeBoxKey, openWith } from "../src/box.ts";
import { hasCode, rejectionOf } from "./support/errors.ts";
import { bytes } from "./support/text.ts";
import { vectors } from "./support/vectors.ts";

const hex = (of: Uint8Array): string => Buffer.from(of).toString("hex");

describe("a box", () => {
  test.each(vectors.envelopes)("is sealed byte for byte as Go seals it, and opened: $name", async (vector) => {
    const [sender, recipient] = [parsePrivateKey(vector.senderPrivateKey), parsePrivateKey(vector.recipientPrivateKey)];
    const random = () => new Uint8Array(Buffer.from(vector.nonceHex, "hex"));
    const plaintext = Buffer.from(vector.messageHex, "hex");
    const envelope = await seal({ ours: sender, theirs: recipient.publicKey }, plaintext, { random });
    expect(hex(envelope.body)).toBe(vector.bodyHex);
    expect(hex(encodeEnvelope(envelope))).toBe(vector.envelopeHex);
    expect(hex(await open(recipient, decodeEnvelope(Buffer.from(vector.envelopeHex, "hex"))))).toBe(vector.messageHex);
  });

  test("opens to what was sealed, and with any single bit of it changed not at all", async () => {
    const [alice, bob] = [generatePrivateKey(), generatePrivateKey()];
    const key = await agreeBoxKey(bob, alice.publicKey);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 70 }), async (plaintext) => {
        const envelope = await seal({ ours: alice, theirs: bob.publicKey }, plaintext);
        expect(await open(bob, envelope)).toEqual(plaintext);
        for (const part of ["body", "nonce"] as const) {
          for (let bit = 0; bit < 8 * envelope[part].length; bit++) {
            const changed = new Uint8Array(envelope[part]);
            changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
            expect(openWith(key, { ...envelope, [part]: changed })).toBeUndefined();
          }
          for (let length = 0; length < envelope[part].length; length++) {
            expect(openWith(key, { ...envelope, [part]: envelope[part].subarray(0, length) })).toBeUndefined();
          }
        }
      }),
      { numRuns: 8 },
    );
  });

  test("opens for nobody else, from nobody else, and not with the two swapped", async () => {
    const [alice, bob, carol] = [generatePrivateKey(), generatePrivateKey(), generatePrivateKey()];
    const envelope = await seal({ ours: alice, theirs: bob.publicKey }, bytes("hello"));
    const refused = async (as: typeof bob, changed: Partial<Envelope>) =>
      rejectionOf(open(as, { ...envelope, ...changed }));
    expect(await refused(carol, {})).toEqual(hasCode("invalid-envelope"));
    expect(await refused(carol, { recipient: carol.publicKey })).toEqual(hasCode("forged"));
    expect(await refused(bob, { sender: carol.publicKey })).toEqual(hasCode("forged"));
    expect(await refused(bob, { sender: bob.publicKey, recipient: alice.publicKey })).toEqual(
      hasCode("invalid-envelope"),
    );
    // The box alone does open for its sender: that is why the header binds the direction.
    expect(await open(alice, { ...envelope, sender: bob.publicKey, recipient: alice.publicKey })).toEqual(
      bytes("hello"),
    );
  });

  test("has a new nonce each time", async () => {
    const pair = { ours: generatePrivateKey(), theirs: generatePrivateKey().publicKey };
    const envelopes = await Promise.all(Array.from({ length: 50 }, () => seal(pair, bytes("same"))));
    expect(new Set(envelopes.map(({ nonce }) => hex(nonce))).size).toBe(50);
    expect(new Set(envelopes.map(({ body }) => hex(body))).size).toBe(50);
  });

  test("is not made of text, nor with a nonce of another length", async () => {
    const pair = { ours: generatePrivateKey(), theirs: generatePrivateKey().publicKey };
    const invalid = hasCode("invalid-argument");
    expect(await rejectionOf(seal(pair, "text" as never))).toEqual(invalid);
    const random = () => new Uint8Array(23);
    expect(await rejectionOf(seal(pair, bytes("x"), { random }))).toEqual(invalid);
  });

  test("holds what its caller passed, whatever becomes of that array afterwards", async () => {
    const [alice, bob] = [generatePrivateKey(), generatePrivateKey()];
    const plaintext = bytes("before");
    const sealing = seal({ ours: alice, theirs: bob.publicKey }, plaintext);
    plaintext.fill(0);
    expect(await open(bob, await sealing)).toEqual(bytes("before"));
  });

  test("for the key that stands for anybody cannot be made", async () => {
    const ours = generatePrivateKey();
    expect(await rejectionOf(seal({ ours, theirs: PublicKey.any }, bytes("x")))).toEqual(hasCode("invalid-key"));
  });
});
