import { electRole, generatePrivateKey, PublicKey, parsePrivateKey } from "@wice/core";
import { expect, test } from "vitest";
import { hasCode } from "./support/errors.ts";
import { vectors } from "./support/vectors.ts";

test("both peers elect as Go does, one each", () => {
  for (const { ours, theirs, ourRole } of vectors.pairs) {
    const [mine, other] = [parsePrivateKey(ours).publicKey, PublicKey.parse(theirs)];
    expect(electRole(mine, other)).toBe(ourRole);
    expect(electRole(other, mine)).not.toBe(ourRole);
  }
});

test("the most significant byte is the first: keys are compared as big-endian numbers", () => {
  const [small, large] = [new Uint8Array(32).fill(9), new Uint8Array(32).fill(9)];
  small.set([2], 0);
  small.set([10], 31);
  expect(electRole(PublicKey.fromBytes(small), PublicKey.fromBytes(large))).toBe("controlling");
});

test("equal keys are an error, not a role", () => {
  const { publicKey } = generatePrivateKey();
  expect(() => electRole(publicKey, PublicKey.fromBytes(publicKey.toBytes()))).toThrow(hasCode("equal-keys"));
});
