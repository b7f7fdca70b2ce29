/**
 * HSalsa20 and the key stream of XSalsa20 (D. J. Bernstein, "Extending the Salsa20 nonce", 2011).
 *
 * Written for short messages: no view of a buffer and no copy is made for each of them, and the sixteen words stay in
 * registers. Additions, rotations and exclusive ors only, so that time does not depend on the bytes.
 */

import { readWords, word, writeWord } from "./words.ts";

/** Hashes a key of 32 bytes and an input of 16 bytes to another key. */
export function hsalsa20(key: Uint8Array, input: Uint8Array): Uint8Array<ArrayBuffer> {
  const subkey = hashMatrix(matrix(key, input));
  const bytes = new Uint8Array(32);
  for (let i = 0; i < 8; i++) writeWord(bytes, 4 * i, word(subkey, i));
  return bytes;
}

/** Where the key stream of a key (32 bytes) and a nonce (24 bytes) starts, for {@link nextBlock}. */
export function xsalsa20(key: Uint8Array, nonce: Uint8Array): Int32Array {
  const stream = matrix(key, nonce);
  const subkey = hashMatrix(stream);
  for (let i = 0; i < 4; i++) {
    stream[1 + i] = word(subkey, i);
    stream[11 + i] = word(subkey, 4 + i);
  }
  readWords(nonce, 16, stream, 6, 8);
  stream.fill(0, 8, 10);
  return stream;
}

/**
 * Puts the next 64 bytes of the key stream into `block`, as sixteen words. The counter has 32 bits of the 64 that it
 * might have: 256 GiB, more than a message has.
 */
export function nextBlock(stream: Int32Array, block: Int32Array): Int32Array {
  salsa20(stream, block);
  stream[8] = word(stream, 8) + 1;
  return block;
}

/** What Salsa20 mixes: "expand 32-byte k" on the diagonal, a half of the key on either side of 16 bytes of input. */
function matrix(key: Uint8Array, input: Uint8Array): Int32Array {
  const words = new Int32Array(16);
  words[0] = 0x61707865;
  readWords(key, 0, words, 1, 5);
  words[5] = 0x3320646e;
  readWords(input, 0, words, 6, 10);
  words[10] = 0x79622d32;
  readWords(key, 16, words, 11, 15);
  words[15] = 0x6b206574;
  return words;
}

/** HSalsa20's eight words: the diagonal, and where the input was, without what Salsa20 adds in the end. */
function hashMatrix(from: Int32Array): Int32Array {
  const to = salsa20(from, new Int32Array(16));
  const hash = new Int32Array(8);
  for (let i = 0; i < 8; i++) {
    const place = i < 4 ? 5 * i : 2 + i;
    hash[i] = word(to, place) - word(from, place);
  }
  return hash;
}

/** Twenty rounds, by columns and by rows in turns, and the addition of what they started from. */
// biome-ignore format: a line is a column or a row of the matrix
function salsa20(from: Int32Array, to: Int32Array): Int32Array {
  let a0 = word(from, 0), a1 = word(from, 1), a2 = word(from, 2), a3 = word(from, 3);
  let b0 = word(from, 4), b1 = word(from, 5), b2 = word(from, 6), b3 = word(from, 7);
  let c0 = word(from, 8), c1 = word(from, 9), c2 = word(from, 10), c3 = word(from, 11);
  let d0 = word(from, 12), d1 = word(from, 13), d2 = word(from, 14), d3 = word(from, 15);
  for (let round = 0; round < 20; round += 2) {
    b0 ^= rotate(a0 + d0, 7); c0 ^= rotate(b0 + a0, 9); d0 ^= rotate(c0 + b0, 13); a0 ^= rotate(d0 + c0, 18);
    c1 ^= rotate(b1 + a1, 7); d1 ^= rotate(c1 + b1, 9); a1 ^= rotate(d1 + c1, 13); b1 ^= rotate(a1 + d1, 18);
    d2 ^= rotate(c2 + b2, 7); a2 ^= rotate(d2 + c2, 9); b2 ^= rotate(a2 + d2, 13); c2 ^= rotate(b2 + a2, 18);
    a3 ^= rotate(d3 + c3, 7); b3 ^= rotate(a3 + d3, 9); c3 ^= rotate(b3 + a3, 13); d3 ^= rotate(c3 + b3, 18);
    a1 ^= rotate(a0 + a3, 7); a2 ^= rotate(a1 + a0, 9); a3 ^= rotate(a2 + a1, 13); a0 ^= rotate(a3 + a2, 18);
    b2 ^= rotate(b1 + b0, 7); b3 ^= rotate(b2 + b1, 9); b0 ^= rotate(b3 + b2, 13); b1 ^= rotate(b0 + b3, 18);
    c3 ^= rotate(c2 + c1, 7); c0 ^= rotate(c3 + c2, 9); c1 ^= rotate(c0 + c3, 13); c2 ^= rotate(c1 + c0, 18);
    d0 ^= rotate(d3 + d2, 7); d1 ^= rotate(d0 + d3, 9); d2 ^= rotate(d1 + d0, 13); d3 ^= rotate(d2 + d1, 18);
  }
  to[0] = a0 + word(from, 0); to[1] = a1 + word(from, 1); to[2] = a2 + word(from, 2); to[3] = a3 + word(from, 3);
  to[4] = b0 + word(from, 4); to[5] = b1 + word(from, 5); to[6] = b2 + word(from, 6); to[7] = b3 + word(from, 7);
  to[8] = c0 + word(from, 8); to[9] = c1 + word(from, 9); to[10] = c2 + word(from, 10); to[11] = c3 + word(from, 11);
  to[12] = d0 + word(from, 12); to[13] = d1 + word(from, 13); to[14] = d2 + word(from, 14); to[15] = d3 + word(from, 15);
  return to;
}

function rotate(sum: number, bits: number): number {
  return (sum << bits) | (sum >>> (32 - bits));
}
