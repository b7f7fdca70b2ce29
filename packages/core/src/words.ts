/** Little-endian words of 32 bits, as Salsa20 and Poly1305 read bytes. */

/** The word at an index. Inlined by every engine; it only spares a cast at each of some hundred places. */
export function word(words: Int32Array, index: number): number {
  return words[index] as number;
}

export function readWord(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** Reads words into an array until an index of it. */
export function readWords(bytes: Uint8Array, at: number, words: Int32Array, start: number, end: number): void {
  for (let i = start; i < end; i++) words[i] = readWord(bytes, at + 4 * (i - start));
}

export function writeWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
