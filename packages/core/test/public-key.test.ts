import { generatePrivateKey, PublicKey, publicKeyFlaw } from "@wice/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasCode } from "./support/errors.ts";

const prime = 2n ** 255n - 19n;
/** All u-coordinates of points whose order divides 8, on the curve or its twist. */
const lowOrder = new Set([
  0n,
  1n,
  prime - 1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
]);
const littleEndian = (value: bigint): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));

/** All 256-bit numbers, with more of those that matter: around 0, the prime, its multiples, and bit 255. */
const numbers = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
  fc
    .tuple(
      fc.constantFrom(0n, prime, 2n * prime, 2n ** 255n, 2n ** 256n - 1n, ...lowOrder),
      fc.bigInt({ min: -40n, max: 40n }),
    )
    .map(([center, distance]) => BigInt.asUintN(256, center + distance)),
  // Bytes of 0xff with one that differs: what a comparison from the top has to get right.
  fc.tuple(fc.nat(31), fc.nat(255)).map(([index, byte]) => {
    const bytes = littleEndian(2n ** 255n - 1n);
    bytes[index] = byte;
    return bytes.reduceRight((value, each) => (value << 8n) | BigInt(each), 0n);
  }),
);

describe("a public key", () => {
  test("is taken exactly when its number is below the prime and not of low order", () => {
    fc.assert(
      fc.property(numbers, (value) => {
        const canonical = value < prime && !lowOrder.has(value);
        expect(publicKeyFlaw(littleEndian(value)) === undefined).toBe(canonical);
        if (!canonical) expect(() => PublicKey.fromBytes(littleEndian(value))).toThrow(hasCode("invalid-key"));
      }),
      { numRuns: 3000 },
    );
  });

  test("prints and parses to the same bytes, and orders as its big-endian number does", () => {
    const keys = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((bytes) => publicKeyFlaw(bytes) === undefined);
    const bigEndian = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        const [first, second] = [PublicKey.fromBytes(a), PublicKey.fromBytes(b)];
        expect(first.toString()).toBe(Buffer.from(a).toString("base64"));
        expect(PublicKey.parse(` ${first}\n`).toBytes()).toEqual(a);
        expect(JSON.parse(JSON.stringify({ first })).first).toBe(first.toString());
        expect(Math.sign(first.compare(second))).toBe(
          Number(bigEndian(a) > bigEndian(b)) - Number(bigEndian(a) < bigEndian(b)),
        );
        expect(first.equals(second)).toBe(bigEndian(a) === bigEndian(b));
        expect(first.equals(PublicKey.fromBytes(a))).toBe(true);
      }),
    );
  });

  test("cannot be changed through the bytes that it was made of or that it gives", () => {
    const key = generatePrivateKey().publicKey;
    const given = key.toBytes();
    const copy = PublicKey.fromBytes(given);
    given.fill(7);
    copy.toBytes().fill(7);
    expect(copy.toBytes()).toEqual(key.toBytes());
  });

  test.each([
    ["nothing", undefined],
    ["a number", 32],
    ["an array", Array.from({ length: 32 }, () => 9)],
    ["text", "x".repeat(32)],
    ["31 bytes", new Uint8Array(31).fill(9)],
    ["33 bytes", new Uint8Array(33).fill(9)],
    ["no bytes", new Uint8Array()],
  ])("is not made of %s", (_, bytes) => {
    expect(() => PublicKey.fromBytes(bytes as Uint8Array)).toThrow(hasCode("invalid-key"));
  });

  test.each([
    ["nothing", undefined],
    ["no text", ""],
    ["hexadecimal", "614e8170cf67304f9edab610baed0a610d0e6600b753411f6d27e8b4c92cb224"],
    ["no padding", "YU6BcM9nME+e2rYQuu0KYQ0OZgC3U0EfbSfotMkssiQ"],
    ["the alphabet of URLs", "YU6BcM9nME-e2rYQuu0KYQ0OZgC3U0EfbSfotMkssiQ="],
    ["bits beyond the last byte", "YU6BcM9nME+e2rYQuu0KYQ0OZgC3U0EfbSfotMkssiR="],
    ["white space inside", "YU6BcM9nME+e2rYQuu0KYQ0 OZgC3U0EfbSfotMkssiQ="],
  ])("is not parsed from %s", (_, text) => {
    expect(() => PublicKey.parse(text as string)).toThrow(hasCode("invalid-key"));
  });

  test("that stands for any sender is no peer's", () => {
    expect(() => PublicKey.parse(PublicKey.any.toString())).toThrow(hasCode("invalid-key"));
    expect(PublicKey.any.toBytes()).toEqual(new Uint8Array(32));
  });
});
