/** Envelopes that peers make by hand: what honest, old, hostile and foreign software may send. */

import { type Envelope, encodeMessage, type MessageInit, type PrivateKey, type PublicKey, seal } from "@wice/core";
import { writeHeader } from "../../src/backend/header.ts";
import { electRole } from "../../src/role.ts";

export interface HeaderByHand {
  readonly instance: string;
  readonly recipientInstance?: string;
  readonly sequence: number;
  readonly acknowledge?: boolean;
}

/** A message with a header, as an honest holder of `from` would seal it. */
export function sealWithHeader(
  from: PrivateKey,
  to: PublicKey,
  message: MessageInit,
  header: HeaderByHand,
): Promise<Envelope> {
  const { instance, recipientInstance, sequence, acknowledge = false } = header;
  const role = electRole(from.publicKey, to);
  return seal(
    { ours: from, theirs: to },
    encodeMessage({ ...message, header: writeHeader(role, instance, { recipientInstance, sequence, acknowledge }) }),
  );
}

/** A message as peers without headers (Go) send it. */
export function sealPlain(from: PrivateKey, to: PublicKey, message: MessageInit): Promise<Envelope> {
  return seal({ ours: from, theirs: to }, encodeMessage(message));
}
