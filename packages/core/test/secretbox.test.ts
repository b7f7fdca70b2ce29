import { hsalsa, xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hsalsa20 } from "../src/salsa20.ts";
import { openSecretbox, secretbox } from "../src/secretbox.ts";

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString("hex");
const keys = fc.uint8Array({ minLength: 32, maxLength: 32 });
const nonces = fc.uint8Array({ minLength: 24, maxLength: 24 });

/** The example that "Cryptography in NaCl" (D. J. Bernstein, 2009) works out, in sections 8 to 10. */
const nacl = {
  shared: hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"),
  firstKey: hex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389"),
  nonce: hex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37"),
  plaintext: hex(
    "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f4" +
      "1db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52" +
      "f0a089bc76897040e082f937763848645e0705",
  ),
  box: hex(
    "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b" +
      "4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da" +
      "99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5",
  ),
};

describe("HSalsa20", () => {
  test("gives the known answer", () => {
    expect(hsalsa20(nacl.shared, new Uint8Array(16))).toEqual(nacl.firstKey);
  });

  test("is that of another implementation, for any key and input", () => {
    fc.assert(
      fc.property(keys, fc.uint8Array({ minLength: 16, maxLength: 16 }), (key, input) => {
        const words = (bytes: Uint8Array) => new Uint32Array(new Uint8Array(bytes).buffer);
        const hash = new Uint32Array(8);
        hsalsa(words(Buffer.from("expand 32-byte k")), words(key), words(input), hash);
        expect(text(hsalsa20(key, input))).toBe(text(new Uint8Array(hash.buffer)));
      }),
    );
  });
});

describe("a secret box", () => {
  test("is the known answer, and opens to it", () => {
    expect(text(secretbox(nacl.firstKey, nacl.nonce, nacl.plaintext))).toBe(text(nacl.box));
    expect(text(openSecretbox(nacl.firstKey, nacl.nonce, nacl.box))).toBe(text(nacl.plaintext));
  });

  test("is byte for byte that of another implementation, and opens to what was sealed, at every length up to 2,000", () => {
    fc.assert(
      fc.property(keys, nonces, fc.uint8Array({ minLength: 2_000, maxLength: 2_000 }), (key, nonce, bytes) => {
        for (let length = 0; length <= bytes.length; length++) agrees(key, nonce, bytes.subarray(0, length));
      }),
      { numRuns: 2 },
    );
  });

  test("is so for any key, nonce and length, wherever the bytes lie in their buffer", () => {
    fc.assert(
      fc.property(keys, nonces, fc.nat(3), fc.nat(70_000), (key, nonce, offset, length) => {
        const shifted = (bytes: Uint8Array) => {
          const moved = new Uint8Array(offset + bytes.length).subarray(offset);
          moved.set(bytes);
          return moved;
        };
        const plaintext = shifted(Uint8Array.from({ length }, (_, i) => (i * 167 + (i >> 7)) & 0xff));
        agrees(shifted(key), shifted(nonce), plaintext);
        expect(text(openSecretbox(key, nonce, shifted(secretbox(key, nonce, plaintext))))).toBe(text(plaintext));
      }),
      { numRuns: 200 },
    );
  });

  test("leaves key, nonce and plaintext as they were", () => {
    const [key, nonce, plaintext] = [
      new Uint8Array(32).fill(1),
      new Uint8Array(24).fill(2),
      new Uint8Array(99).fill(3),
    ];
    openSecretbox(key, nonce, secretbox(key, nonce, plaintext));
    expect([key, nonce, plaintext]).toEqual([
      new Uint8Array(32).fill(1),
      new Uint8Array(24).fill(2),
      new Uint8Array(99).fill(3),
    ]);
  });

  test("does not open when a bit of it, of its key or of its nonce changed, or when bytes are missing", () => {
    const [key, nonce] = [nacl.firstKey, nacl.nonce];
    const parts = { key, nonce, box: secretbox(key, nonce, nacl.plaintext) };
    for (const name of ["key", "nonce", "box"] as const) {
      for (let bit = 0; bit < 8 * parts[name].length; bit++) {
        const changed = new Uint8Array(parts[name]);
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
        const all = { ...parts, [name]: changed };
        expect(openSecretbox(all.key, all.nonce, all.box)).toBeUndefined();
      }
    }
    for (let length = 0; length < parts.box.length; length++) {
      expect(openSecretbox(key, nonce, parts.box.subarray(0, length))).toBeUndefined();
    }
  });
});

function agrees(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array): void {
  const box = secretbox(key, nonce, plaintext);
  // Compared as text only when they differ: a matcher takes longer than both ciphers.
  if (Buffer.compare(box, xsalsa20poly1305(key, nonce).encrypt(plaintext)) !== 0) {
    expect(text(box)).toBe(text(xsalsa20poly1305(key, nonce).encrypt(plaintext)));
  }
  const opened = openSecretbox(key, nonce, box);
  if (opened === undefined || Buffer.compare(opened, plaintext) !== 0) expect(text(opened)).toBe(text(plaintext));
}
