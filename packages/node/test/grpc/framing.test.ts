import { isWiceError } from "@wice/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createMessageReader, frameMessage } from "../../src/grpc/framing.ts";
import { framed } from "./scripted-server.ts";

const seed = Math.floor(Math.random() * 2 ** 31);
console.log(`framing seed: ${seed}`);

function read(
  chunks: readonly Uint8Array[],
  maxBytes = 100,
): { messages: Buffer[]; oversized: number[]; atBoundary: boolean } {
  const messages: Buffer[] = [];
  const oversized: number[] = [];
  const reader = createMessageReader({
    maxBytes,
    onMessage: (message) => messages.push(Buffer.from(message)),
    onOversized: (length) => oversized.push(length),
  });
  for (const chunk of chunks) reader.push(chunk);
  return { messages, oversized, atBoundary: reader.atBoundary };
}

/** The bytes, cut at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end));
}

describe("a message reader", () => {
  test("reads back what frameMessage wrote, however it is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 150 }), { maxLength: 8 }),
        fc.array(fc.nat(2000), { maxLength: 12 }),
        (messages, places) => {
          const result = read(cut(Buffer.concat(messages.map(frameMessage)), places));
          expect(result.messages).toEqual(messages.filter(({ length }) => length <= 100).map((m) => Buffer.from(m)));
          expect(result.oversized).toEqual(messages.map(({ length }) => length).filter((length) => length > 100));
          expect(result.atBoundary).toBe(true);
        },
      ),
      { seed, numRuns: 500 },
    );
  });

  test("meets any bytes with messages within the limit or a protocol error", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (chunks) => {
        try {
          for (const message of read(chunks).messages) expect(message.length).toBeLessThanOrEqual(100);
        } catch (error) {
          expect(isWiceError(error, "protocol")).toBe(true);
        }
      }),
      { seed, numRuns: 1000 },
    );
  });

  test("takes single bytes", () => {
    const bytes = Buffer.concat([framed(Buffer.from("one")), framed(new Uint8Array()), framed(Buffer.from("two"))]);
    const { messages } = read([...bytes].map((byte) => Uint8Array.of(byte)));
    expect(messages.map(String)).toEqual(["one", "", "two"]);
  });

  test("says when it stopped inside a message", () => {
    const bytes = framed(Buffer.from("abc"));
    for (let length = 1; length < bytes.length; length++)
      expect(read([bytes.subarray(0, length)]).atBoundary).toBe(false);
  });

  test("keeps nothing of a message that is too large", () => {
    const before = process.memoryUsage().arrayBuffers;
    const reader = createMessageReader({ maxBytes: 100, onMessage: () => {}, onOversized: () => {} });
    const prefix = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
    const chunk = Buffer.alloc(65_536);
    reader.push(prefix);
    for (let i = 0; i < 1000; i++) reader.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
  });

  test("refuses compressed messages, and flags that gRPC does not have", () => {
    expect(() => read([framed(Buffer.from("x"), 1)])).toThrow(/compressed/);
    expect(() => read([framed(Buffer.from("x"), 0x80)])).toThrow(/not gRPC/);
  });
});
