/** From the bytes of a Publish to the frame that subscribers get, or the reason for a refusal. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { publicKeyFlaw } from "@wice/core";
import { type Envelope, EnvelopeSchema } from "@wice/core/wire";
import { frameMessage, prefixBytes } from "./frames.ts";
import { scanEnvelope } from "./scan-envelope.ts";

/** An envelope that may be forwarded. */
export interface CheckedEnvelope {
  /** With its prefix; exactly the received bytes where the strict scanner took them. */
  readonly frame: Buffer;
  /** The recipient's key, a character for each byte: what topics are found by. */
  readonly topic: string;
  /** It was decoded and encoded anew, because its encoding was not the plain one. */
  readonly reencoded: boolean;
}

/** A refusal: what is wrong, in words that repeat nothing of what was sent. */
export type Flaw = string;

/** Checks a frame whose length prefix is right. A string is the flaw that it is refused for. */
export function checkEnvelope(frame: Buffer): CheckedEnvelope | Flaw {
  const scanned = scanEnvelope(frame, prefixBytes);
  if (scanned === undefined) return decodeAndCheck(frame);
  const { sender, recipient } = scanned;
  const flaw =
    keyFlaw("sender", frame.subarray(sender, sender + 32)) ??
    keyFlaw("recipient", frame.subarray(recipient, recipient + 32));
  return flaw ?? { frame, topic: topicOf(frame, recipient), reencoded: false };
}

/** The name of a key's topic: 32 bytes from `at` as 32 characters of Latin-1, the cheapest string that V8 can hash. */
export function topicOf(bytes: Buffer, at = 0): string {
  return bytes.toString("latin1", at, at + 32);
}

/** What is wrong with a key, for the sender of the request. */
export function keyFlaw(label: string, key: Uint8Array): Flaw | undefined {
  const flaw = publicKeyFlaw(key);
  return flaw === undefined ? undefined : `${label}: ${flaw}`;
}

function decodeAndCheck(frame: Buffer): CheckedEnvelope | Flaw {
  let envelope: Envelope;
  try {
    envelope = fromBinary(EnvelopeSchema, frame.subarray(prefixBytes));
  } catch {
    return "not an envelope: malformed protobuf";
  }
  const { sender, recipient, contents } = envelope;
  const flaw = keyFlaw("sender", sender) ?? keyFlaw("recipient", recipient);
  if (flaw !== undefined) return flaw;
  if (contents === undefined) return "contents: there are none";
  const { body, nonce } = contents;
  if (nonce.length !== 24) return "nonce: it must be 24 bytes";
  if (body.length < 16) return "body: it must be at least 16 bytes";
  // Only the known fields: what nobody here has understood is not passed on.
  const known = create(EnvelopeSchema, { sender, recipient, contents: { body, nonce } });
  return {
    frame: frameMessage(toBinary(EnvelopeSchema, known)),
    topic: topicOf(Buffer.from(recipient.buffer, recipient.byteOffset, recipient.length)),
    reencoded: true,
  };
}
