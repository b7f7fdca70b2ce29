import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  decodeEnvelope,
  decodeMessage,
  encodeEnvelope,
  encodeMessage,
  generatePrivateKey,
  isWiceError,
  randomBytes,
} from "@wice/core";
import { type CandidateType, EnvelopeSchema } from "@wice/core/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasCode } from "./support/errors.ts";
import { vectors } from "./support/vectors.ts";

const samples = vectors.envelopes.map(({ envelopeHex, messageHex }) => ({
  envelope: new Uint8Array(Buffer.from(envelopeHex, "hex")),
  message: new Uint8Array(Buffer.from(messageHex, "hex")),
}));

/** Random bytes, and real ones that were cut, lengthened and changed in places. */
const nearly = (kind: "envelope" | "message") =>
  fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .record({
        sample: fc.constantFrom(...samples.map((sample) => sample[kind])),
        changes: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
        cut: fc.nat(400),
        tail: fc.uint8Array({ maxLength: 20 }),
      })
      .map(({ sample, changes, cut, tail }) => {
        const bytes = Uint8Array.from([...sample.slice(0, cut), ...tail]);
        for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
        return bytes;
      }),
  );

/** Protobuf of a field that nobody knows. */
const unknownField = fc.oneof(
  fc.uint8Array({ maxLength: 20 }).map((bytes) => [0x82, 0x7d, bytes.length, ...bytes]),
  fc.nat(127).map((value) => [0x80, 0x7d, value]),
);

describe("whatever the bytes", () => {
  test("an envelope decodes to one that a peer could have sealed, or is refused with its type", () => {
    fc.assert(
      fc.property(nearly("envelope"), (bytes) => {
        try {
          const envelope = decodeEnvelope(bytes);
          expect(envelope.nonce.length).toBe(24);
          expect(envelope.body.length).toBeGreaterThanOrEqual(16);
          expect(decodeEnvelope(encodeEnvelope(envelope))).toEqual(envelope);
        } catch (error) {
          if (!isWiceError(error, "invalid-envelope")) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("a message decodes, or is refused with its type", () => {
    let decoded = 0;
    fc.assert(
      fc.property(nearly("message"), (bytes) => {
        try {
          decodeMessage(bytes);
          decoded += 1;
        } catch (error) {
          if (!isWiceError(error, "invalid-message")) throw error;
        }
      }),
      { numRuns: 3000 },
    );
    expect(decoded).toBeGreaterThan(100);
  });
});

test("unknown fields of a message and unknown values of its enums are kept", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...samples),
      unknownField,
      fc.integer({ min: 100, max: 2 ** 31 - 1 }),
      (sample, field, value) => {
        const extended = Uint8Array.from([...sample.message, ...field]);
        expect(Buffer.from(encodeMessage(decodeMessage(extended))).toString("hex")).toContain(
          Buffer.from(field).toString("hex"),
        );
        const unknownType = decodeMessage(encodeMessage({ candidate: { type: value as CandidateType } }));
        expect(unknownType.candidate?.type).toBe(value);
      },
    ),
  );
});

describe("an envelope is refused", () => {
  const good = {
    sender: generatePrivateKey().publicKey.toBytes(),
    recipient: generatePrivateKey().publicKey.toBytes(),
    contents: { body: randomBytes(50), nonce: randomBytes(24) },
  };
  const encode = (changes: object): Uint8Array => {
    const base = fromBinary(
      EnvelopeSchema,
      toBinary(EnvelopeSchema, {
        $typeName: "cunicu.signaling.Envelope",
        ...good,
        contents: { $typeName: "cunicu.signaling.EncryptedMessage", ...good.contents },
      }),
    );
    return toBinary(EnvelopeSchema, { ...base, ...changes });
  };
  const contents = (changes: object) => ({
    contents: { $typeName: "cunicu.signaling.EncryptedMessage", ...good.contents, ...changes },
  });

  test("never when it is whole", () => {
    expect(decodeEnvelope(encode({})).sender.toBytes()).toEqual(good.sender);
  });

  test.each([
    ["empty", { sender: new Uint8Array(), recipient: new Uint8Array(), contents: undefined }],
    ["without contents", { contents: undefined }],
    ["with a short sender", { sender: good.sender.slice(1) }],
    ["with a zero recipient", { recipient: new Uint8Array(32) }],
    ["with a sender that is not canonical", { sender: new Uint8Array(32).fill(0xff) }],
    ["with a nonce of 23 bytes", contents({ nonce: randomBytes(23) })],
    ["with a nonce of 25 bytes", contents({ nonce: randomBytes(25) })],
    ["with a body of 15 bytes", contents({ body: randomBytes(15) })],
  ])("when it is %s", (_, changes) => {
    expect(() => decodeEnvelope(encode(changes))).toThrow(hasCode("invalid-envelope"));
  });
});

test("a message of another type of text than UTF-8 is refused with its type", () => {
  // credentials.ufrag with a lone continuation byte
  expect(() => decodeMessage(Uint8Array.of(0x0a, 0x03, 0x0a, 0x01, 0x80))).toThrow(hasCode("invalid-message"));
});
