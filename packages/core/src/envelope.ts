/** What travels: two public keys, and contents that only those two peers can open. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { WiceError } from "./errors.ts";
import { EnvelopeSchema } from "./gen/cunicu/signaling/signaling_pb.ts";
import { PublicKey } from "./public-key.ts";

/** The bytes of a NaCl box's nonce, and the least of its body: the tag. */
export const nonceBytes = 24;
const tagBytes = 16;

/** A sealed message on its way from sender to recipient. Backends carry it and never open it. */
export interface Envelope {
  readonly sender: PublicKey;
  readonly recipient: PublicKey;
  /** A NaCl box: the tag (16 bytes), then the ciphertext. */
  readonly body: Uint8Array;
  /** 24 bytes. */
  readonly nonce: Uint8Array;
}

/** The bytes of a `cunicu.signaling.Envelope`, for transports that carry bytes. */
export function encodeEnvelope(envelope: Envelope): Uint8Array<ArrayBuffer> {
  const { sender, recipient, body, nonce } = envelope;
  return toBinary(
    EnvelopeSchema,
    create(EnvelopeSchema, { sender: sender.toBytes(), recipient: recipient.toBytes(), contents: { body, nonce } }),
  );
}

/** The inverse of {@link encodeEnvelope}. Throws `invalid-envelope`; never anything else, whatever the bytes. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  try {
    const { sender, recipient, contents } = fromBinary(EnvelopeSchema, bytes);
    const flaw = contents === undefined ? "it has no contents" : boxFlaw(contents.body, contents.nonce);
    if (contents === undefined || flaw !== undefined)
      throw new WiceError("invalid-envelope", `not an envelope: ${flaw}`);
    const { body, nonce } = contents;
    return { sender: PublicKey.fromBytes(sender), recipient: PublicKey.fromBytes(recipient), body, nonce };
  } catch (cause) {
    if (cause instanceof WiceError && cause.code === "invalid-envelope") throw cause;
    throw new WiceError("invalid-envelope", "not an envelope: its bytes or keys are malformed", { cause });
  }
}

/** Why body and nonce cannot be a NaCl box, or undefined when they can. */
export function boxFlaw(body: Uint8Array, nonce: Uint8Array): string | undefined {
  if (nonce.length !== nonceBytes) return `its nonce must be ${nonceBytes} bytes`;
  if (body.length < tagBytes) return `its body must be at least ${tagBytes} bytes`;
  return undefined;
}
