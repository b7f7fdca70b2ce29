import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Envelope, EnvelopeSchema } from "@wice/core/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkEnvelope } from "../../src/relay/check-envelope.ts";
import { scanEnvelope } from "../../src/relay/scan-envelope.ts";
import { envelope, framed, someKey } from "./wire.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const key = bytes(32);
const nonce = bytes(24);
/** Mostly short; those whose length takes two and three bytes are all of one byte, which is faster to generate. */
const body = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ minLength: 16, maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(127, 128, 16_383, 16_384, 70_000).map((size) => Buffer.alloc(size, 0xa5)) },
);

/** A field as somebody might write it: a tag, then a length or what the wire type wants. */
const lengthDelimited = (field: fc.Arbitrary<number>, value: fc.Arbitrary<Uint8Array>) =>
  fc
    .tuple(field, value, fc.nat(3))
    .map(([number, content, padding]) =>
      Buffer.concat([
        new BinaryWriter().tag(number, WireType.LengthDelimited).finish(),
        paddedVarint(content.length, padding === 3 ? 1 : 0),
        content,
      ]),
    );
const oddField = fc.oneof(
  fc.nat(20).map((number) =>
    new BinaryWriter()
      .tag(number + 1, WireType.Varint)
      .uint32(7)
      .finish(),
  ),
  fc.nat(20).map((number) =>
    new BinaryWriter()
      .tag(number + 1, WireType.Bit32)
      .fixed32(7)
      .finish(),
  ),
  fc.nat(20).map((number) =>
    new BinaryWriter()
      .tag(number + 1, WireType.Bit64)
      .fixed64("7")
      .finish(),
  ),
  fc.nat(4).map((number) => {
    const group = new BinaryWriter()
      .tag(number + 1, WireType.StartGroup)
      .tag(9, WireType.Varint)
      .uint32(1);
    return group.tag(number + 1, WireType.EndGroup).finish();
  }),
  fc.uint8Array({ maxLength: 6 }),
);
const innerField = fc.oneof(
  { weight: 6, arbitrary: lengthDelimited(fc.constant(1), body) },
  { weight: 6, arbitrary: lengthDelimited(fc.constant(2), nonce) },
  { weight: 1, arbitrary: lengthDelimited(fc.integer({ min: 1, max: 5 }), fc.uint8Array({ maxLength: 40 })) },
  { weight: 1, arbitrary: oddField },
);
const contents = fc.array(innerField, { maxLength: 4 }).map((fields) => Buffer.concat(fields));
const outerField = fc.oneof(
  { weight: 4, arbitrary: lengthDelimited(fc.constant(1), key) },
  { weight: 4, arbitrary: lengthDelimited(fc.constant(2), key) },
  { weight: 4, arbitrary: lengthDelimited(fc.constant(3), contents) },
  { weight: 1, arbitrary: lengthDelimited(fc.integer({ min: 1, max: 5 }), fc.uint8Array({ maxLength: 40 })) },
  { weight: 1, arbitrary: oddField },
);
const structured = fc.array(outerField, { maxLength: 6 }).map((fields) => Buffer.concat(fields));

/** Plain field by field, in the given orders: every one of these is an envelope. */
const plain = fc
  .record({
    sender: key,
    recipient: key,
    body,
    nonce,
    outer: fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
    swap: fc.boolean(),
  })
  .map(({ sender, recipient, body: box, nonce: number, outer, swap }) => {
    const parts = [field(1, box), field(2, number)];
    const inside = Buffer.concat(swap ? parts.toReversed() : parts);
    const fields = [field(1, sender), field(2, recipient), field(3, inside)];
    return Buffer.concat(outer.map((index) => fields[index] as Buffer));
  });

/** A valid envelope with a few bytes changed, cut or added. */
const mutated = fc
  .tuple(
    plain,
    fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom("set", "cut", "insert")), { minLength: 1, maxLength: 3 }),
  )
  .map(([valid, changes]) => {
    let altered: Buffer = valid;
    for (const [where, value, how] of changes) {
      // Mostly near the structure, which is in the first hundred bytes or so.
      const at = where % Math.min(altered.length, where % 4 === 0 ? altered.length : 130);
      const [head, tail] = [altered.subarray(0, at), altered.subarray(at)];
      if (how === "set") altered = Buffer.concat([head, Buffer.of(value), tail.subarray(1)]);
      else if (how === "insert") altered = Buffer.concat([head, Buffer.of(value), tail]);
      else altered = Buffer.concat([head, tail.subarray(1)]);
      if (altered.length === 0) break;
    }
    return altered;
  });

describe("the strict scanner", () => {
  test("takes every plain encoding of an envelope, whatever the order of its fields", () => {
    fc.assert(
      fc.property(plain, (encoded) => {
        expect(scanEnvelope(encoded, 0)).toBeDefined();
        agrees(encoded);
      }),
      { numRuns: 300 },
    );
  });

  test("takes what protobuf-es writes", () => {
    fc.assert(
      fc.property(key, key, body, nonce, (sender, recipient, box, number) => {
        const message = create(EnvelopeSchema, { sender, recipient, contents: { body: box, nonce: number } });
        expect(scanEnvelope(toBinary(EnvelopeSchema, message), 0)).toBeDefined();
      }),
      { numRuns: 300 },
    );
  });

  test("never reads anything else than the full decoder does", () => {
    let accepted = 0;
    const any = fc.oneof(
      { weight: 3, arbitrary: structured },
      { weight: 3, arbitrary: mutated },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
    );
    fc.assert(
      fc.property(any, (encoded) => {
        if (agrees(encoded)) accepted++;
      }),
      { numRuns: 20_000 },
    );
    // The generators would prove nothing if they never wrote what the scanner takes.
    expect(accepted).toBeGreaterThan(100);
  });

  test("scans from an offset", () => {
    const encoded = envelope();
    const scanned = scanEnvelope(encoded, 0);
    const shifted = scanEnvelope(Buffer.concat([Buffer.alloc(5, 0x1a), encoded]), 5);
    expect(shifted?.recipient).toBe((scanned?.recipient as number) + 5);
  });

  const sender = field(1, someKey());
  const recipient = field(2, someKey());
  const inside = [field(1, Buffer.alloc(16)), field(2, Buffer.alloc(24))];
  const box = field(3, Buffer.concat(inside));
  const unknown = field(4, Buffer.alloc(2));
  test.each<[string, Uint8Array[]]>([
    ["nothing", []],
    ["no sender", [recipient, box]],
    ["no recipient", [sender, box]],
    ["no contents", [sender, recipient]],
    ["a second sender", [sender, recipient, box, sender]],
    ["a second recipient", [sender, recipient, recipient, box]],
    ["second contents, which a decoder would merge", [sender, recipient, box, box]],
    ["second contents that are empty", [sender, recipient, box, field(3, Buffer.alloc(0))]],
    ["an unknown field", [sender, recipient, box, unknown]],
    ["an unknown field in the contents", [sender, recipient, field(3, Buffer.concat([...inside, unknown]))]],
    ["contents without nonce", [sender, recipient, field(3, inside[0] as Buffer)]],
    ["contents with a second body", [sender, recipient, field(3, Buffer.concat([...inside, inside[0] as Buffer]))]],
    ["empty contents", [sender, recipient, field(3, Buffer.alloc(0))]],
    ["a key of 31 bytes", [field(1, Buffer.alloc(31)), recipient, box]],
    ["a key of 33 bytes", [sender, field(2, Buffer.alloc(33)), box]],
    ["a body of 15 bytes", [sender, recipient, contentsOf(15, 24)]],
    ["a nonce of 23 bytes", [sender, recipient, contentsOf(16, 23)]],
    ["a nonce of 25 bytes", [sender, recipient, contentsOf(16, 25)]],
    ["a sender of another wire type", [Buffer.from([0x08, 0x01]), sender, recipient, box]],
    ["a length that is not in its shortest form", [Buffer.from([0x0a, 0xa0, 0x00]), someKey(), recipient, box]],
    ["a tag that is not in its shortest form", [Buffer.from([0x8a, 0x00, 0x20]), someKey(), recipient, box]],
    ["a cut", [sender, recipient, box.subarray(0, -1)]],
    [
      "a body that reaches beyond the contents",
      [sender, recipient, Buffer.from([0x1a, 0x02, 0x0a, 0x10]), Buffer.alloc(42)],
    ],
  ])("leaves %s to the full decoder", (_, parts) => {
    expect(scanEnvelope(Buffer.concat(parts), 0)).toBeUndefined();
  });
});

describe("an envelope that is checked", () => {
  test("is forwarded as received when it is plain", () => {
    const frame = framed(envelope());
    const checked = checkEnvelope(frame);
    expect(checked).toMatchObject({ reencoded: false });
    expect(typeof checked === "object" && checked.frame).toBe(frame);
  });

  test("goes to the recipient that the full decoder reads, with nothing that it did not understand", () => {
    const seen = { plain: 0, reencoded: 0, refused: 0 };
    fc.assert(
      fc.property(fc.oneof(structured, mutated), (encoded) => {
        const checked = checkEnvelope(framed(encoded));
        if (typeof checked === "string") {
          seen.refused++;
          return;
        }
        seen[checked.reencoded ? "reencoded" : "plain"]++;
        const known = withoutUnknown(decode(encoded));
        expect(Buffer.compare(canonical(decode(checked.frame.subarray(5))), canonical(known))).toBe(0);
        expect(Buffer.from(checked.topic, "latin1")).toEqual(Buffer.from(known?.recipient ?? []));
        expect(scanEnvelope(checked.frame, 5)).toBeDefined();
      }),
      { numRuns: 10_000 },
    );
    expect(Math.min(seen.plain, seen.reencoded, seen.refused)).toBeGreaterThan(20);
  });
});

/** Whether the scanner took it; fails when the full decoder reads anything else. */
function agrees(encoded: Uint8Array): boolean {
  const scanned = scanEnvelope(encoded, 0);
  if (scanned === undefined) return false;
  const decoded = decode(encoded);
  if (decoded?.contents === undefined) throw new Error("the scanner took what the decoder refuses");
  expect(decoded.$unknown).toBeUndefined();
  expect(decoded.contents.$unknown).toBeUndefined();
  const part = (at: number, length: number): Buffer => Buffer.from(encoded.subarray(at, at + length));
  // Buffer.compare, because toEqual takes its time for 70 KB.
  expect(Buffer.compare(part(scanned.sender, 32), decoded.sender)).toBe(0);
  expect(Buffer.compare(part(scanned.recipient, 32), decoded.recipient)).toBe(0);
  expect(Buffer.compare(part(scanned.nonce, 24), decoded.contents.nonce)).toBe(0);
  expect(Buffer.compare(part(scanned.body, scanned.bodyBytes), decoded.contents.body)).toBe(0);
  expect(scanned.bodyBytes).toBeGreaterThanOrEqual(16);
  return true;
}

function decode(encoded: Uint8Array): Envelope | undefined {
  try {
    return fromBinary(EnvelopeSchema, encoded);
  } catch {
    return undefined;
  }
}

function withoutUnknown(decoded: Envelope | undefined): Envelope | undefined {
  if (decoded?.contents === undefined) return undefined;
  const { sender, recipient, contents: box } = decoded;
  return create(EnvelopeSchema, { sender, recipient, contents: { body: box.body, nonce: box.nonce } });
}

/** As bytes, unknown fields included, since comparing long arrays element by element takes its time. */
function canonical(decoded: Envelope | undefined): Uint8Array {
  return decoded === undefined ? Buffer.alloc(0) : toBinary(EnvelopeSchema, decoded);
}

function contentsOf(bodyBytes: number, nonceBytes: number): Buffer {
  return field(3, Buffer.concat([field(1, Buffer.alloc(bodyBytes)), field(2, Buffer.alloc(nonceBytes))]));
}

function field(number: number, content: Uint8Array): Buffer {
  return Buffer.from(new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(content).finish());
}

/** A varint with so many bytes more than it needs. */
function paddedVarint(value: number, padding: number): Buffer {
  const shortest = [...new BinaryWriter().uint32(value).finish()];
  for (let i = 0; i < padding; i++) {
    shortest.push((shortest.pop() as number) | 0x80);
    shortest.push(0);
  }
  return Buffer.from(shortest);
}
