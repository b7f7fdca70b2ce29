/** What travels: two public keys, and contents that only those two peers can open. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { WiceError } from "./errors.ts";
import { EnvelopeSchema, type Envelope as WireEnvelope } from "./gen/cunicu/signaling/signaling_pb.ts";
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

/**
 * The bytes of a `cunicu.signaling.Envelope`, for transports that carry bytes. Throws `invalid-envelope` where body and
 * nonce cannot be a box: not every server checks what its subscribers stumble over.
 */
export function encodeEnvelope(envelope: Envelope): Uint8Array<ArrayBuffer> {
  const { sender, recipient, body, nonce } = envelope;
  checkBox(body, nonce);
  return toBinary(
    EnvelopeSchema,
    create(EnvelopeSchema, { sender: sender.toBytes(), recipient: recipient.toBytes(), contents: { body, nonce } }),
  );
}

/** The inverse of {@link encodeEnvelope}. Throws `invalid-envelope`; never anything else, whatever the bytes. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  let decoded: WireEnvelope;
  try {
    decoded = fromBinary(EnvelopeSchema, bytes);
  } catch (cause) {
    throw new WiceError("invalid-envelope", "not an envelope: its bytes are malformed", { cause });
  }
  return fromWireEnvelope(decoded);
}

/** For transports whose library has decoded the protobuf already. Throws `invalid-envelope`. */
export function fromWireEnvelope({ sender, recipient, contents }: WireEnvelope): Envelope {
  if (contents === undefined) throw new WiceError("invalid-envelope", "not an envelope: it has no contents");
  const { body, nonce } = contents;
  checkBox(body, nonce);
  try {
    return { sender: PublicKey.fromBytes(sender), recipient: PublicKey.fromBytes(recipient), body, nonce };
  } catch (cause) {
    throw new WiceError("invalid-envelope", "not an envelope: its keys are malformed", { cause });
  }
}

/** Throws `invalid-envelope` where body and nonce cannot be a NaCl box. */
export function checkBox(body: Uint8Array, nonce: Uint8Array): void {
  const flaw =
    nonce.length !== nonceBytes
      ? `its nonce must be ${nonceBytes} bytes`
      : body.length < tagBytes
        ? `its body must be at least ${tagBytes} bytes`
        : undefined;
  if (flaw !== undefined) throw new WiceError("invalid-envelope", `not an envelope: ${flaw}`);
}
