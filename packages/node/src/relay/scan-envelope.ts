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
  const found = { sender: missing, recipient: missing, body: missing, bodyBytes: 0, nonce: missing };
  for (let at = start; at < bytes.length; ) {
    const next = scanField(bytes, at, found);
    if (next === flawed) return undefined;
    at = next;
  }
  const { sender, recipient, body } = found;
  return sender === missing || recipient === missing || body === missing ? undefined : found;
}

const missing = -1;
const flawed = -1;

type Found = { -readonly [K in keyof ScannedEnvelope]: number };

/** Notes the field of an envelope that starts at `at`. Returns where it stops, or {@link flawed}. */
function scanField(bytes: Uint8Array, at: number, found: Found): number {
  const size = scanLength(bytes, at + 1, bytes.length);
  if (size < 0) return flawed;
  const value = at + 1 + lengthOfLength(size);
  const stop = value + size;
  if (stop > bytes.length) return flawed;
  switch (bytes[at]) {
    case field1:
      if (size !== keyBytes || found.sender !== missing) return flawed;
      found.sender = value;
      return stop;
    case field2:
      if (size !== keyBytes || found.recipient !== missing) return flawed;
      found.recipient = value;
      return stop;
    case field3:
      return found.body === missing && scanContents(bytes, value, stop, found) ? stop : flawed;
    default:
      return flawed;
  }
}

/** Notes body and nonce of the contents between `start` and `end`, and whether they are all that there is. */
function scanContents(bytes: Uint8Array, start: number, end: number, found: Found): boolean {
  for (let at = start; at < end; ) {
    const size = scanLength(bytes, at + 1, end);
    if (size < 0) return false;
    const value = at + 1 + lengthOfLength(size);
    const tag = bytes[at];
    if (tag === field1 && size >= tagBytes && found.body === missing) {
      found.body = value;
      found.bodyBytes = size;
    } else if (tag === field2 && size === nonceBytes && found.nonce === missing) {
      found.nonce = value;
    } else return false;
    at = value + size;
    if (at > end) return false;
  }
  return found.body !== missing && found.nonce !== missing;
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
