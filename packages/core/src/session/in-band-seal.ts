/** Seals messages of a session for the connection itself, the same way as for a backend, and opens the peer's. */

import { isReflected, writeDirection } from "../backend/header.ts";
import { agreeBoxKey, type BoxKey, openWith, sealWith } from "../box.ts";
import type { RandomBytes } from "../bytes.ts";
import { decodeEnvelope, encodeEnvelope } from "../envelope.ts";
import { decodeMessage, encodeMessage, type MessageInit, withFields } from "../message.ts";
import type { KeyPair } from "../private-key.ts";
import { electRole } from "../role.ts";
import { type Description, readDescription } from "./description.ts";

export interface InBandSeal {
  /** Agrees on the key, once; a failure is told and not remembered. */
  prepare(onFailure: (error: unknown) => void): void;
  /** Undefined while there is no key. */
  seal(message: MessageInit): Uint8Array | undefined;
  /** Undefined for what the peer did not seal for us, what it sends back of ours, and what is no description. */
  open(bytes: Uint8Array): Description | undefined;
}

export function createInBandSeal(pair: KeyPair, random: RandomBytes): InBandSeal {
  const role = electRole(pair.ours.publicKey, pair.theirs);
  let agreeing = false;
  let key: BoxKey | undefined;

  return {
    prepare(onFailure) {
      if (agreeing) return;
      agreeing = true;
      agreeBoxKey(pair.ours, pair.theirs).then(
        (agreed) => {
          key = agreed;
        },
        (error: unknown) => {
          agreeing = false;
          onFailure(error);
        },
      );
    },
    seal(message) {
      if (key === undefined) return undefined;
      const box = sealWith(key, encodeMessage(withFields(message, { header: writeDirection(role) })), random);
      return encodeEnvelope({ sender: pair.ours.publicKey, recipient: pair.theirs, ...box });
    },
    open(bytes) {
      if (key === undefined) return undefined;
      try {
        const envelope = decodeEnvelope(bytes);
        if (!envelope.sender.equals(pair.theirs) || !envelope.recipient.equals(pair.ours.publicKey)) return undefined;
        const plaintext = openWith(key, envelope);
        if (plaintext === undefined) return undefined;
        const { header, session } = decodeMessage(plaintext);
        if (header === undefined || isReflected(header, role) || session === undefined) return undefined;
        return readDescription(session);
      } catch {
        // Garbage of a peer that we have a session with: it says nothing.
        return undefined;
      }
    },
  };
}
