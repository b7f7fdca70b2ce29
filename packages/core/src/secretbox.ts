/**
 * XSalsa20-Poly1305, NaCl's secret box: what a message is sealed with once its peers share a key.
 *
 * Our own, where a general library spends two thirds of its time on views, copies and checks that 200 bytes do not
 * need, and is more than twice the size; the tests hold it to that library, byte for byte. Nothing is wiped
 * afterwards: the key that all of it follows from stays in memory.
 */

import { poly1305 } from "./poly1305.ts";
import { nextBlock, xsalsa20 } from "./salsa20.ts";
import { readWord, word, writeWord } from "./words.ts";

const tagBytes = 16;

/** The tag, then the ciphertext. The key has 32 bytes, the nonce 24. */
export function secretbox(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
  const stream = xsalsa20(key, nonce);
  const block = nextBlock(stream, new Int32Array(16));
  const tagKey = block.slice(0, 8);
  const box = new Uint8Array(tagBytes + plaintext.length);
  apply(stream, block, plaintext, 0, box, tagBytes);
  const tag = poly1305(tagKey, box, tagBytes);
  for (let i = 0; i < 4; i++) writeWord(box, 4 * i, word(tag, i));
  return box;
}

/** The plaintext; undefined where the tag is not that of this key, nonce and ciphertext. */
export function openSecretbox(
  key: Uint8Array,
  nonce: Uint8Array,
  box: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  if (box.length < tagBytes) return undefined;
  const stream = xsalsa20(key, nonce);
  const block = nextBlock(stream, new Int32Array(16));
  const tag = poly1305(block, box, tagBytes);
  let difference = 0;
  for (let i = 0; i < 4; i++) difference |= word(tag, i) ^ readWord(box, 4 * i);
  if (difference !== 0) return undefined;
  const plaintext = new Uint8Array(box.length - tagBytes);
  apply(stream, block, box, tagBytes, plaintext, 0);
  return plaintext;
}

/**
 * Puts what `source` has at `from` and after under the key stream, into `target` at `to`. `block` is the first of the
 * stream, of which the tag's key has taken a half.
 */
function apply(
  stream: Int32Array,
  block: Int32Array,
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
): void {
  let at = from;
  let out = to;
  for (let used = 8; at < source.length; used = 0) {
    for (; used < 16 && at + 4 <= source.length; used++, at += 4, out += 4) {
      writeWord(target, out, readWord(source, at) ^ word(block, used));
    }
    if (used === 16) nextBlock(stream, block);
    else
      for (let rest = word(block, used); at < source.length; rest >>>= 8)
        target[out++] = rest ^ (source[at++] as number);
  }
}
