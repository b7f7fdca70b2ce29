import { create, toBinary } from "@bufbuild/protobuf";
import { decodeEnvelope, type Envelope, encodeEnvelope, generatePrivateKey, randomBytes } from "@wice/core";
import { fromWireEnvelope } from "@wice/core/transport";
import { EnvelopeSchema } from "@wice/core/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasCode } from "./support/errors.ts";

const [sender, recipient] = [generatePrivateKey().publicKey, generatePrivateKey().publicKey];
const envelope: Envelope = { sender, recipient, body: randomBytes(50), nonce: randomBytes(24) };
const wire = (
  parts: Partial<{ sender: Uint8Array; recipient: Uint8Array; body: Uint8Array; nonce: Uint8Array }> = {},
) => {
  const { body, nonce } = { ...envelope, ...parts };
  const keys = { sender: sender.toBytes(), recipient: recipient.toBytes(), ...parts };
  return create(EnvelopeSchema, { ...keys, contents: { body, nonce } });
};

describe("encodeEnvelope", () => {
  test("writes what decodeEnvelope reads", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 300 }),
        fc.uint8Array({ minLength: 24, maxLength: 24 }),
        (body, nonce) => {
          const read = decodeEnvelope(encodeEnvelope({ sender, recipient, body, nonce }));
          expect(read.sender.equals(sender) && read.recipient.equals(recipient)).toBe(true);
          expect([read.body.join(), read.nonce.join()]).toEqual([body.join(), nonce.join()]);
        },
      ),
    );
  });

  test.each([0, 15])("refuses a body of %i bytes, which has no room for the tag", (length) => {
    expect(() => encodeEnvelope({ ...envelope, body: new Uint8Array(length) })).toThrow(hasCode("invalid-envelope"));
  });

  test.each([0, 23, 25])("refuses a nonce of %i bytes", (length) => {
    expect(() => encodeEnvelope({ ...envelope, nonce: new Uint8Array(length) })).toThrow(hasCode("invalid-envelope"));
  });
});

describe("fromWireEnvelope", () => {
  test("reads what a library has decoded", () => {
    expect(fromWireEnvelope(wire())).toEqual(envelope);
    expect(decodeEnvelope(toBinary(EnvelopeSchema, wire()))).toEqual(envelope);
  });

  test.each([
    ["no contents", create(EnvelopeSchema, { sender: sender.toBytes(), recipient: recipient.toBytes() })],
    ["nothing at all", create(EnvelopeSchema)],
    ["a body without a tag", wire({ body: new Uint8Array(15) })],
    ["a short nonce", wire({ nonce: new Uint8Array(23) })],
    ["a long nonce", wire({ nonce: new Uint8Array(25) })],
    ["no sender", wire({ sender: new Uint8Array() })],
    ["a short sender", wire({ sender: new Uint8Array(31).fill(9) })],
    ["a long recipient", wire({ recipient: new Uint8Array(33).fill(9) })],
    ["a sender of low order", wire({ sender: Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 1 : 0)) })],
    [
      "another form of a sender's key",
      wire({ sender: sender.toBytes().map((byte, index) => (index === 31 ? byte | 0x80 : byte)) }),
    ],
  ])("refuses %s", (_, message) => {
    expect(() => fromWireEnvelope(message)).toThrow(hasCode("invalid-envelope"));
  });
});
