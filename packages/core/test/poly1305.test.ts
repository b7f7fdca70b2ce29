import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { poly1305 } from "../src/poly1305.ts";

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));
const wordsOf = (key: Uint8Array): Int32Array => new Int32Array(new Uint8Array(key).buffer);
const tagOf = (key: Uint8Array, message: Uint8Array, start = 0): string =>
  Buffer.from(poly1305(wordsOf(key), message, start).buffer).toString("hex");

describe("Poly1305", () => {
  test.each([
    [
      "section 2.5.2",
      "85d6be7857556d337f4452fe42d506a8 0103808afb0db2fd4abff6af4149f51b",
      Buffer.from("Cryptographic Forum Research Group").toString("hex"),
      "a8061dc1305136c6c22b8baf0c0127a9",
    ],
    ["A.3 #1", "00".repeat(32), "00".repeat(64), "00".repeat(16)],
    ["A.3 #7", `02${"00".repeat(31)}`, "ff".repeat(16), `03${"00".repeat(15)}`],
    ["A.3 #8", `02${"00".repeat(15)}${"ff".repeat(16)}`, `02${"00".repeat(15)}`, `03${"00".repeat(15)}`],
    [
      "A.3 #9",
      `01${"00".repeat(31)}`,
      `${"ff".repeat(16)}f0${"ff".repeat(15)}11${"00".repeat(15)}`,
      `05${"00".repeat(15)}`,
    ],
    ["A.3 #10", `01${"00".repeat(31)}`, `${"ff".repeat(16)}fb${"fe".repeat(15)}${"01".repeat(16)}`, "00".repeat(16)],
    ["A.3 #11", `02${"00".repeat(31)}`, `fd${"ff".repeat(15)}`, `fa${"ff".repeat(15)}`],
    [
      "a sum that is the modulus itself",
      `01${"00".repeat(31)}`,
      `fb${"ff".repeat(15)}${"00".repeat(32)}`,
      "00".repeat(16),
    ],
    [
      "a sum of the modulus less one",
      `01${"00".repeat(31)}`,
      `fa${"ff".repeat(15)}${"00".repeat(32)}`,
      `fa${"ff".repeat(15)}`,
    ],
    ["an empty message: s", `${"ff".repeat(16)}${"ab".repeat(16)}`, "", "ab".repeat(16)],
  ])("gives the known answer (RFC 8439): %s", (_, key, message, tag) => {
    expect(tagOf(hex(key), hex(message))).toBe(tag);
  });

  test("is what exact arithmetic gives, at the edges of the numbers too", () => {
    // Long runs of zeros and ones bring the carries to their limits, which random bytes do not.
    const edges = (length: fc.Arbitrary<number>) =>
      fc
        .tuple(length, fc.array(fc.tuple(fc.nat(255), fc.constantFrom(0x00, 0xff, 0x01, 0x80, 0xfb)), { maxLength: 8 }))
        .chain(([size, spots]) =>
          fc.constantFrom(0x00, 0xff).map((fill) => {
            const bytes = new Uint8Array(size).fill(fill);
            for (const [at, value] of spots) if (at < size) bytes[at] = value;
            return bytes;
          }),
        );
    const key = fc.oneof(fc.uint8Array({ minLength: 32, maxLength: 32 }), edges(fc.constant(32)));
    const message = fc.oneof(fc.uint8Array({ maxLength: 300 }), edges(fc.nat(300)));
    fc.assert(
      fc.property(key, message, (k, m) => {
        expect(tagOf(k, m)).toBe(exactTag(k, m));
      }),
      { numRuns: 20_000 },
    );
  });

  test("stays exact over the largest numbers for as long as a message lasts", () => {
    const message = new Uint8Array(100_000).fill(0xff);
    const key = new Uint8Array(32).fill(0xff);
    expect(tagOf(key, message)).toBe(exactTag(key, message));
  });

  test("starts where it is told", () => {
    const [key, message] = [hex("42".repeat(32)), hex("0102030405060708090a0b0c0d0e0f101112131415")];
    expect(tagOf(key, message, 4)).toBe(exactTag(key, message.subarray(4)));
  });
});

/** RFC 8439, section 2.5, in words: the message as a polynomial at r, mod 2^130 - 5, plus s. */
function exactTag(key: Uint8Array, message: Uint8Array): string {
  const number = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex") || "0"}`);
  const r = number(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = ((sum + number(Uint8Array.of(...block, 1))) * r) % (2n ** 130n - 5n);
  }
  const tag = (sum + number(key.subarray(16))) % 2n ** 128n;
  return Buffer.from(tag.toString(16).padStart(32, "0"), "hex").reverse().toString("hex");
}
