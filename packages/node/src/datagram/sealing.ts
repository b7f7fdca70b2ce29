/**
 * Sealed datagrams: what protects a session between wice peers. Pure: bytes in, bytes out.
 *
 * Keys: HKDF-SHA256 of the X25519 secret of two ephemeral keys, which travelled inside the box. Salt: the controlling
 * peer's ephemeral key, then the controlled one's. Info: `wice datagram 1 ` and the role of the sender. So each direction
 * has a key of its own, and so have another session and what comes after a restart.
 *
 * A datagram: one byte `0xc0 + kind`, which no STUN message, DTLS record or TURN channel starts with; the low 32 bits of a
 * counter, big-endian; ChaCha20-Poly1305 of the payload, tag last, with those five bytes as additional data. Nonce: four
 * zero bytes, then the whole counter, 64 bits, little-endian.
 */

import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync } from "node:crypto";
import type { Role } from "@wice/core";
import type { EphemeralKey } from "./ephemeral-key.ts";
import { createReplayWindow } from "./replay-window.ts";

/** What a sealed datagram has more than its payload. */
export const sealedOverheadBytes = 21;

export interface Sealing {
  /** `kind`: 0 to 15, which the recipient learns, and nobody can change. */
  seal(kind: number, payload: Uint8Array): Buffer;
  /** Undefined for what is not from the peer, or was opened before. */
  open(datagram: Buffer): Opened | undefined;
  readonly counts: SealingCounts;
}

export interface Opened {
  readonly kind: number;
  readonly payload: Buffer;
}

export interface SealingCounts {
  readonly sealed: number;
  readonly opened: number;
  /** Altered, reflected, of another session, or no sealed datagrams at all. */
  readonly forged: number;
  /** Came before, or are too old to tell. */
  readonly replayed: number;
}

/** What each role seals with, 32 bytes. */
export interface SealingKeys {
  readonly controlling: Uint8Array;
  readonly controlled: Uint8Array;
}

const headerBytes = 5;
const tagBytes = 16;
const firstByte = 0xc0;
const algorithm = "chacha20-poly1305";
const options = { authTagLength: tagBytes };
const wrap = 2 ** 32;

/** Throws `invalid-message` for an ephemeral key that is none. */
export function agreeSealingKeys(role: Role, ours: EphemeralKey, theirs: Uint8Array): SealingKeys {
  const secret = ours.agree(theirs);
  const salt = Buffer.concat(role === "controlling" ? [ours.publicKey, theirs] : [theirs, ours.publicKey]);
  const derive = (sender: Role): Uint8Array =>
    new Uint8Array(hkdfSync("sha256", secret, salt, `wice datagram 1 ${sender}`, 32));
  return { controlling: derive("controlling"), controlled: derive("controlled") };
}

/** `firstCounter`: for vectors. */
export function createSealing(role: Role, keys: SealingKeys, firstCounter = 0): Sealing {
  // Given bytes, Node copies and checks them with each datagram: that takes twice as long as everything else.
  const [controlling, controlled] = [createSecretKey(keys.controlling), createSecretKey(keys.controlled)];
  const [ours, theirs] = role === "controlling" ? [controlling, controlled] : [controlled, controlling];
  const window = createReplayWindow();
  const sealNonce = Buffer.alloc(12);
  const openNonce = Buffer.alloc(12);
  let next = firstCounter;
  let opened = 0;
  let forged = 0;
  let replayed = 0;

  return {
    seal(kind, payload) {
      const sealed = Buffer.allocUnsafe(headerBytes + payload.length + tagBytes);
      sealed[0] = firstByte + kind;
      sealed.writeUInt32BE(next % wrap, 1);
      const cipher = createCipheriv(algorithm, ours, writeNonce(sealNonce, next), options);
      next += 1;
      cipher.setAAD(sealed.subarray(0, headerBytes), { plaintextLength: payload.length });
      sealed.set(cipher.update(payload), headerBytes);
      cipher.final();
      sealed.set(cipher.getAuthTag(), headerBytes + payload.length);
      return sealed;
    },
    open(datagram) {
      const end = datagram.length - tagBytes;
      if (end < headerBytes || ((datagram[0] as number) & 0xf0) !== firstByte) {
        forged += 1;
        return undefined;
      }
      const counter = wholeCounter(datagram.readUInt32BE(1), window.highest);
      if (!window.isNew(counter)) {
        replayed += 1;
        return undefined;
      }
      const decipher = createDecipheriv(algorithm, theirs, writeNonce(openNonce, counter), options);
      decipher.setAAD(datagram.subarray(0, headerBytes), { plaintextLength: end - headerBytes });
      decipher.setAuthTag(datagram.subarray(end));
      const payload = decipher.update(datagram.subarray(headerBytes, end));
      try {
        decipher.final();
      } catch {
        forged += 1;
        return undefined;
      }
      window.take(counter);
      opened += 1;
      return { kind: (datagram[0] as number) & 0x0f, payload };
    },
    get counts() {
      return { sealed: next - firstCounter, opened, forged, replayed };
    },
  };
}

/** The counter with these low bits that is nearest to the highest one seen. */
function wholeCounter(low: number, highest: number): number {
  const near = Math.max(0, highest);
  const counter = near - (near % wrap) + low;
  if (counter > near + wrap / 2 && counter >= wrap) return counter - wrap;
  if (counter < near - wrap / 2) return counter + wrap;
  return counter;
}

function writeNonce(nonce: Buffer, counter: number): Buffer {
  nonce.writeUInt32LE(counter % wrap, 4);
  nonce.writeUInt32LE(Math.floor(counter / wrap), 8);
  return nonce;
}
