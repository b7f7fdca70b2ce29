/**
 * The strict scanner: recognises the one plain form in which every usual client encodes an envelope, so that it can be
 * forwarded as received. Whatever it does not recognise is not wrong, but goes through the full decoder: two parsers
 * must never disagree about a recipient.
 */

/** Where the parts of a plainly encoded envelope start, as offsets into the scanned bytes. */
export interface ScannedEnvelope {
  /** 32 bytes. */
  readonly sender: number;
  /** 32 bytes. */
  readonly recipient: number;
  readonly body: number;
  readonly bodyBytes: number;
  /** 24 bytes. */
  readonly nonce: number;
}

const keyBytes = 32;
const nonceBytes = 24;
const tagBytes = 16;

/** Wire type 2 (length-delimited) of fields 1, 2 and 3. */
const field1 = 0x0a;
const field2 = 0x12;
const field3 = 0x1a;

/**
 * Scans `bytes` from `start` to its end. Undefined unless there are fields 1, 2 and 3 exactly once each, in any order,
 * length-delimited, with lengths in their shortest form, and nothing else; the same for fields 1 and 2 of the
 * contents; keys of 32 bytes, a nonce of 24, a body of at least 16.
 */
export function scanEnvelope(bytes: Uint8Array, start: number): ScannedEnvelope | undefined {
  const end = bytes.length;
  let sender = -1;
  let recipient = -1;
  let body = -1;
  let bodyBytes = 0;
  let nonce = -1;
  let at = start;
  while (at < end) {
    const tag = bytes[at++] as number;
    if (tag === field3) {
      if (body !== -1) return undefined;
      const size = scanLength(bytes, at, end);
      if (size < 0) return undefined;
      at += lengthOfLength(size);
      const stop = at + size;
      if (stop > end) return undefined;
      while (at < stop) {
        const inner = bytes[at++] as number;
        const innerSize = scanLength(bytes, at, stop);
        if (innerSize < 0) return undefined;
        at += lengthOfLength(innerSize);
        if (inner === field1) {
          if (body !== -1 || innerSize < tagBytes) return undefined;
          body = at;
          bodyBytes = innerSize;
        } else if (inner === field2) {
          if (nonce !== -1 || innerSize !== nonceBytes) return undefined;
          nonce = at;
        } else return undefined;
        at += innerSize;
        if (at > stop) return undefined;
      }
      if (body === -1 || nonce === -1) return undefined;
    } else {
      if (bytes[at++] !== keyBytes) return undefined;
      if (tag === field1) {
        if (sender !== -1) return undefined;
        sender = at;
      } else if (tag === field2) {
        if (recipient !== -1) return undefined;
        recipient = at;
      } else return undefined;
      at += keyBytes;
      if (at > end) return undefined;
    }
  }
  if (sender === -1 || recipient === -1 || body === -1) return undefined;
  return { sender, recipient, body, bodyBytes, nonce };
}

/** A length of up to three bytes (2 MiB) in its shortest form, or −1. */
function scanLength(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const first = bytes[at] as number;
  if (first < 0x80) return first;
  if (at + 1 >= end) return -1;
  const second = bytes[at + 1] as number;
  if (second < 0x80) return second === 0 ? -1 : (first & 0x7f) | (second << 7);
  if (at + 2 >= end) return -1;
  const third = bytes[at + 2] as number;
  if (third >= 0x80 || third === 0) return -1;
  return (first & 0x7f) | ((second & 0x7f) << 7) | (third << 14);
}

/** How many bytes {@link scanLength} read, which is known from the value because only the shortest form passes. */
function lengthOfLength(size: number): number {
  return size < 0x80 ? 1 : size < 0x4000 ? 2 : 3;
}
