import { inspect } from "node:util";
import { importPrivateKey as importWith, isWiceError, nobleX25519, PublicKey } from "@wice/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeX25519 } from "../src/node-x25519.ts";
import { generatePrivateKey, importPrivateKey, parsePrivateKey } from "../src/private-key.ts";

const seed = Math.floor(Math.random() * 2 ** 31);
console.log(`x25519 seed: ${seed}`);

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));

describe("X25519 by node:crypto", () => {
  test("gives the keys and the secret of RFC 7748, section 6.1", async () => {
    const alice = importPrivateKey(hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
    const bob = importPrivateKey(hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
    expect(alice.publicKey.toBytes()).toEqual(hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    expect(bob.publicKey.toBytes()).toEqual(hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    const secret = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    expect(await alice.sharedSecret(bob.publicKey)).toEqual(secret);
    expect(await bob.sharedSecret(alice.publicKey)).toEqual(secret);
  });

  test("agrees with plain JavaScript on every key", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((bytes) => bytes.some((byte) => byte !== 0)),
        async (bytes) => {
          const [fast, slow] = [importPrivateKey(bytes), importWith(bytes, { x25519: nobleX25519 })];
          expect(fast.publicKey.equals(slow.publicKey)).toBe(true);
          expect(fast.exportKey()).toEqual(new Uint8Array(bytes));
          const other = generatePrivateKey();
          const secret = await fast.sharedSecret(other.publicKey);
          expect(secret).toEqual(await slow.sharedSecret(other.publicKey));
          expect(secret).toEqual(await other.sharedSecret(fast.publicKey));
          expect(Object.getPrototypeOf(secret)).toBe(Uint8Array.prototype);
        },
      ),
      { seed, numRuns: 30 },
    );
  });

  test("refuses a key that no peer can have, and one of the wrong length", async () => {
    const error = await generatePrivateKey()
      .sharedSecret(PublicKey.any)
      .catch((caught: unknown) => caught);
    expect(isWiceError(error, "invalid-key")).toBe(true);
    expect(() => nodeX25519.fromPrivateKey(new Uint8Array(31))).toThrow(
      expect.objectContaining({ code: "invalid-key" }),
    );
  });

  test("does not depend on the caller's bytes afterwards, and does not hand out its own", () => {
    const bytes = generatePrivateKey().exportKey();
    const agreement = nodeX25519.fromPrivateKey(bytes);
    const before = agreement.exportKey?.();
    bytes.fill(0);
    agreement.exportKey?.().fill(0);
    expect(agreement.exportKey?.()).toEqual(before);
  });

  test("shows nothing of the key", () => {
    const text = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    const key = parsePrivateKey(text);
    const shown = inspect(key, { depth: 9, showHidden: true }) + JSON.stringify(key) + String(key);
    expect(shown).not.toContain("yAnz5TF");
    expect(shown).not.toContain(Buffer.from(text, "base64").toString("hex").slice(0, 12));
    expect(shown).not.toMatch(/200,\s+9,\s+243/);
  });
});
