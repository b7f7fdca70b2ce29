/** What one peer means for another, in plain: protobuf, before it is sealed and after it was opened. */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { WiceError } from "./errors.ts";
import { type Message, MessageSchema } from "./gen/cunicu/signaling/signaling_pb.ts";

export type { Message };

/** A message as a plain object: `{ payload }`, `{ credentials: { ufrag, pwd } }`. */
export type MessageInit = MessageInitShape<typeof MessageSchema>;

/** The message with some fields replaced; what was given is left alone. */
export function withFields(message: MessageInit, fields: Partial<Omit<Message, "$typeName" | "$unknown">>): Message {
  return { ...create(MessageSchema, message), ...fields };
}

/** Whether there is anything for the application in it; a message without asks only who is there. */
export function hasContent(message: MessageInit): boolean {
  const { credentials, candidate, peer, pske, session, payload } = message;
  const unknown = "$unknown" in message ? (message.$unknown?.length ?? 0) : 0;
  return unknown > 0 || [credentials, candidate, peer, pske, session, payload].some((field) => field !== undefined);
}

/** The bytes of a `cunicu.signaling.Message`. Throws `invalid-argument` where a field has the wrong type. */
export function encodeMessage(message: MessageInit): Uint8Array<ArrayBuffer> {
  try {
    return toBinary(MessageSchema, create(MessageSchema, message));
  } catch {
    // No cause: the encoder's errors quote what they could not encode.
    throw new WiceError(
      "invalid-argument",
      "a field of the message has the wrong type: bytes are Uint8Array, text is string",
    );
  }
}

/** The inverse of {@link encodeMessage}; unknown fields and enum values are kept. Throws `invalid-message`. */
export function decodeMessage(bytes: Uint8Array): Message {
  try {
    return fromBinary(MessageSchema, bytes);
  } catch (cause) {
    throw new WiceError("invalid-message", "not a message: its bytes are malformed", { cause });
  }
}
