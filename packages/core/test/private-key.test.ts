import { inspect } from "node:util";
import { generatePrivateKey, importPrivateKey, nobleX25519, PrivateKey, PublicKey, parsePrivateKey } from "@wice/core";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { clamp } from "../src/import-private-key.ts";
import { hasCode } from "./support/errors.ts";
import { vectors } from "./support/vectors.ts";

describe("a private key", () => {
  test.each(vectors.keys)(
    "has the public key that Go computes: $publicKey",
    ({ privateKey, publicKey, privateKeyHex }) => {
      const key = parsePrivateKey(`${privateKey}\n`);
      expect(key.publicKey.toString()).toBe(publicKey);
      expect(Buffer.from(key.exportKey()).toString("hex")).toBe(privateKeyHex);
    },
  );

  test("agrees with another on the same secret from both sides", async () => {
    for (const { ours, theirs, x25519SharedHex, oursPublic } of vectors.pairs) {
      const key = parsePrivateKey(ours);
      expect(key.publicKey.toString()).toBe(oursPublic);
      const secret = await key.sharedSecret(PublicKey.parse(theirs));
      expect(Buffer.from(secret).toString("hex")).toBe(x25519SharedHex);
    }
    const [alice, bob] = [generatePrivateKey(), generatePrivateKey()];
    expect(await alice.sharedSecret(bob.publicKey)).toEqual(await bob.sharedSecret(alice.publicKey));
  });

  test("is clamped when generated, as RFC 7748 says, whatever the random bytes", () => {
    const low = (1n << 254n) - 1n;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const value = (of: Uint8Array): bigint => of.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
        const expected = (value(bytes) & low & ~7n) | (1n << 254n);
        expect(value(clamp(new Uint8Array(bytes)))).toBe(expected);
      }),
    );
    const exported = generatePrivateKey({ random: (length) => new Uint8Array(length).fill(0xff) }).exportKey();
    expect([exported[0], exported[31]]).toEqual([0xf8, 0x7f]);
  });

  test("never shows itself, alone or in another object", () => {
    const key = generatePrivateKey();
    const secrets = [Buffer.from(key.exportKey()).toString("base64"), Buffer.from(key.exportKey()).toString("hex")];
    const holder = { name: "holder", pair: { ours: key }, list: [key], map: new Map([[key, key]]) };
    const written: string[] = [];
    const spies = [process.stdout, process.stderr].map((stream) =>
      vi.spyOn(stream, "write").mockImplementation((chunk) => written.push(String(chunk)) > 0),
    );
    const deep = { depth: 20, showHidden: true, getters: true } as const;
    console.log(key, holder);
    console.error(holder);
    for (const spy of spies) spy.mockRestore();
    const shown = [
      ...[
        String(key),
        `${key}`,
        JSON.stringify(key),
        JSON.stringify(holder),
        inspect(key, deep),
        inspect(holder, deep),
      ],
      ...[
        Object.prototype.toString.call(key),
        JSON.stringify(Object.entries(key)),
        JSON.stringify(structuredClone({ ...key })),
      ],
      ...written,
      new Error("x", { cause: holder }).stack ?? "",
      inspect(new Error("x", { cause: holder }), deep),
    ].join("\n");
    // Arrays of bytes are printed as decimal numbers.
    const decimal = [...key.exportKey().slice(0, 4)].join(", ");
    for (const secret of [...secrets, decimal]) expect(shown).not.toContain(secret);
    expect(shown).toContain("redacted");
  });

  test("cannot be changed through the bytes that it was made of or that it gives", () => {
    const bytes = generatePrivateKey().exportKey();
    const copy = new Uint8Array(bytes);
    const key = importPrivateKey(bytes);
    bytes.fill(1);
    key.exportKey().fill(1);
    expect(key.exportKey()).toEqual(copy);
  });

  test("that lives where nobody can read it says so when asked for its bytes", async () => {
    const { publicKey, sharedSecret } = nobleX25519.fromPrivateKey(generatePrivateKey().exportKey());
    const key = new PrivateKey({ publicKey, sharedSecret });
    expect(() => key.exportKey()).toThrow(hasCode("unsupported"));
    expect((await key.sharedSecret(generatePrivateKey().publicKey)).length).toBe(32);
  });

  test.each([
    ["nothing", undefined],
    ["all zero", new Uint8Array(32)],
    ["31 bytes", new Uint8Array(31).fill(9)],
    ["33 bytes", new Uint8Array(33).fill(9)],
  ])("is not made of %s, and the error says nothing of the bytes", (_, bytes) => {
    const make = () => importPrivateKey(bytes as Uint8Array);
    expect(make).toThrow(hasCode(bytes === undefined ? "invalid-argument" : "invalid-key"));
    expect(make).not.toThrow(/9/);
  });

  test("that cannot be parsed is not quoted", () => {
    const secret = `${Buffer.from(generatePrivateKey().exportKey()).toString("base64")}=`;
    expect(() => parsePrivateKey(secret)).toThrow(hasCode("invalid-key"));
    expect(() => parsePrivateKey(secret)).not.toThrow(secret.slice(0, 6));
  });
});
