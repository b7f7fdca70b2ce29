/**
 * Poly1305 (RFC 8439, section 2.5): the tag of a message under a key that is used once.
 *
 * A number below 2^130 is held in six limbs of 22 bits. A product of two such numbers is then a sum of products that
 * stays below 2^53, which a double adds up exactly: 36 multiplications for a block, where limbs that fit the 32-bit
 * integers of JavaScript need 100. No step depends on a secret in its time.
 */

import { readWord, word } from "./words.ts";

/** The four words of the tag of `message` from `start` on, under a key of eight words. */
export function poly1305(key: Int32Array, message: Uint8Array, start: number): Int32Array {
  // The clamped half of the key is the point r that the message is evaluated at, as a polynomial.
  const k0 = word(key, 0) & 0x0fffffff;
  const k1 = word(key, 1) & 0x0ffffffc;
  const k2 = word(key, 2) & 0x0ffffffc;
  const k3 = word(key, 3) & 0x0ffffffc;
  const r0 = k0 & limb;
  const r1 = ((k0 >>> 22) | (k1 << 10)) & limb;
  const r2 = ((k1 >>> 12) | (k2 << 20)) & limb;
  const r3 = (k2 >>> 2) & limb;
  const r4 = ((k2 >>> 24) | (k3 << 8)) & limb;
  const r5 = k3 >>> 14;
  // What leaves the sixth limb comes in again below, times 2^132 mod 2^130 - 5 = 20.
  const s1 = 20 * r1;
  const s2 = 20 * r2;
  const s3 = 20 * r3;
  const s4 = 20 * r4;
  const s5 = 20 * r5;
  let h0 = 0;
  let h1 = 0;
  let h2 = 0;
  let h3 = 0;
  let h4 = 0;
  let h5 = 0;
  let block = message;
  let at = start;
  let end = 2 ** 18; // 2^128, in the sixth limb: the bit that ends a whole block
  for (let left = message.length - start; left > 0; left -= 16, at += 16) {
    if (left < 16) {
      block = new Uint8Array(16);
      for (let i = 0; i < left; i++) block[i] = message[at + i] as number;
      block[left] = 1;
      at = 0;
      end = 0;
    }
    const m0 = readWord(block, at);
    const m1 = readWord(block, at + 4);
    const m2 = readWord(block, at + 8);
    const m3 = readWord(block, at + 12);
    h0 += m0 & limb;
    h1 += ((m0 >>> 22) | (m1 << 10)) & limb;
    h2 += ((m1 >>> 12) | (m2 << 20)) & limb;
    h3 += (m2 >>> 2) & limb;
    h4 += ((m2 >>> 24) | (m3 << 8)) & limb;
    h5 += (m3 >>> 14) + end;

    let p0 = h0 * r0 + h1 * s5 + h2 * s4 + h3 * s3 + h4 * s2 + h5 * s1;
    let p1 = h0 * r1 + h1 * r0 + h2 * s5 + h3 * s4 + h4 * s3 + h5 * s2;
    let p2 = h0 * r2 + h1 * r1 + h2 * r0 + h3 * s5 + h4 * s4 + h5 * s3;
    let p3 = h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * s5 + h5 * s4;
    let p4 = h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0 + h5 * s5;
    let p5 = h0 * r5 + h1 * r4 + h2 * r3 + h3 * r2 + h4 * r1 + h5 * r0;

    // Carries, from p0 and from p3 upwards at the same time, for each step waits for the one before it.
    let low = Math.floor(p0 / radix);
    let high = Math.floor(p3 / radix);
    p0 -= low * radix;
    p3 -= high * radix;
    p1 += low;
    p4 += high;
    low = Math.floor(p1 / radix);
    high = Math.floor(p4 / radix);
    h1 = p1 - low * radix;
    h4 = p4 - high * radix;
    p2 += low;
    p5 += high;
    low = Math.floor(p2 / radix);
    high = Math.floor(p5 / radix);
    h2 = p2 - low * radix;
    h5 = p5 - high * radix;
    p3 += low;
    p0 += 20 * high;
    low = Math.floor(p3 / radix);
    high = Math.floor(p0 / radix);
    h3 = p3 - low * radix;
    h0 = p0 - high * radix;
    h4 += low;
    h1 += high;
  }
  return plus(key, h0, h1, h2, h3, h4, h5);
}

/** The tag: the number in the limbs mod 2^130 - 5, and the other half of the key, added mod 2^128. */
function plus(key: Int32Array, h0: number, h1: number, h2: number, h3: number, h4: number, h5: number): Int32Array {
  // What is above 2^130 comes in again below, times 5. The rest may still be the modulus or more, by a little: then
  // adding 5 reaches 2^130, and the number less the modulus is, mod 2^128, the number plus 5.
  const a0 = h0 + 5 * (h5 >>> 20);
  const a5 = h5 & 0xfffff;
  let over = (a0 + 5) >>> 22;
  over = (h1 + over) >>> 22;
  over = (h2 + over) >>> 22;
  over = (h3 + over) >>> 22;
  over = (h4 + over) >>> 22;
  over = (a5 + over) >>> 20;

  const b0 = a0 + 5 * over;
  const b1 = h1 + (b0 >>> 22);
  const b2 = h2 + (b1 >>> 22);
  const b3 = h3 + (b2 >>> 22);
  const b4 = h4 + (b3 >>> 22);
  const b5 = a5 + (b4 >>> 22);
  const tag = new Int32Array(4);
  tag[0] = (b0 & limb) | (b1 << 22);
  tag[1] = ((b1 & limb) >>> 10) | (b2 << 12);
  tag[2] = ((b2 & limb) >>> 20) | ((b3 & limb) << 2) | (b4 << 24);
  tag[3] = ((b4 & limb) >>> 8) | (b5 << 14);
  let sum = 0;
  for (let i = 0; i < 4; i++) {
    sum = Math.floor(sum / 2 ** 32) + (word(tag, i) >>> 0) + (word(key, 4 + i) >>> 0);
    tag[i] = sum;
  }
  return tag;
}

const radix = 0x400000;
/** The bits of a limb. */
const limb = radix - 1;
