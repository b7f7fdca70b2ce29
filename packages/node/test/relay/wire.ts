/** Messages and frames, written by the tests' own hand or by protobuf-es. */

import { randomBytes } from "node:crypto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { EnvelopeSchema, SubscribeParamsSchema } from "@wice/core/wire";

/** Random, and canonical: below the prime, not of low order. */
export function someKey(): Buffer {
  const key = randomBytes(32);
  key[31] = 0x40;
  return key;
}

/** A valid one but for what `init` says. */
export function envelope(init: MessageInitShape<typeof EnvelopeSchema> = {}): Uint8Array {
  const valid: MessageInitShape<typeof EnvelopeSchema> = {
    sender: someKey(),
    recipient: someKey(),
    contents: { body: randomBytes(32), nonce: randomBytes(24) },
  };
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, Object.assign(valid, init)));
}

export function envelopeFor(recipient: Uint8Array, bodyBytes = 32): Uint8Array {
  return envelope({ recipient, contents: { body: randomBytes(bodyBytes), nonce: randomBytes(24) } });
}

export function subscribeParams(init: MessageInitShape<typeof SubscribeParamsSchema>): Uint8Array {
  return toBinary(SubscribeParamsSchema, create(SubscribeParamsSchema, init));
}

/** A length-prefixed message. */
export function framed(message: Uint8Array, flags = 0): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame[0] = flags;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

/** The messages in a sequence of bytes; the last one is left out when it is cut. */
export function unframed(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    messages.push(bytes.subarray(at + 5, end));
    at = end;
  }
  return messages;
}
