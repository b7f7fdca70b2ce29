import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concatBytes, equalBytes, fromBase64, fromHex, toBase64, toHex } from "../src/bytes.ts";

const bytes = fc.uint8Array({ maxLength: 100 });
/** Text that is nearly right: one character of a good text replaced, inserted or removed. */
const nearly = fc.tuple(bytes, fc.nat(), fc.string({ maxLength: 2 }), fc.nat(1)).map(([of, at, insert, remove]) => {
  const text = toBase64(of);
  const index = at % (text.length + 1);
  return text.slice(0, index) + insert + text.slice(index + remove);
});

describe.each([
  ["base64", toBase64, fromBase64, (of: Uint8Array) => Buffer.from(of).toString("base64")],
  ["hexadecimal", toHex, fromHex, (of: Uint8Array) => Buffer.from(of).toString("hex")],
] as const)("%s", (_, encode, decode, reference) => {
  test("is the standard one, and decodes to what was encoded", () => {
    fc.assert(
      fc.property(bytes, (of) => {
        expect(encode(of)).toBe(reference(of));
        expect(decode(encode(of))).toEqual(of);
      }),
    );
  });
});

test("base64 has one text for every sequence of bytes: any other is refused", () => {
  fc.assert(
    fc.property(fc.oneof(nearly, fc.string()), (text) => {
      const decoded = fromBase64(text);
      if (decoded !== undefined) expect(toBase64(decoded)).toBe(text);
    }),
    { numRuns: 2000 },
  );
});

test.each(["AA", "AA=", "A===", "AAAA====", "AB==", "AAB=", "AA=A", "====", "AAA-", "AAA_", " AAA", "AAAA\n", "AAAÄ"])(
  "%j is no base64",
  (text) => expect(fromBase64(text)).toBeUndefined(),
);

test("bytes are equal when all are, and joined in order", () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
      expect(equalBytes(a, new Uint8Array(a))).toBe(true);
      expect([...concatBytes(a, b)]).toEqual([...a, ...b]);
    }),
  );
});
