/** The custom resource that an envelope is in the cluster: names, paths, and the way there and back. */

import { randomBytes } from "node:crypto";
import { type Envelope, PublicKey, WiceError } from "@wice/core";
import { checkBox } from "@wice/core/transport";

export const group = "cunicu.li";
const version = "v1";
export const plural = "signalingenvelopes";
const kind = "SignalingEnvelope";

/** What the API server stores: upstream's fields at the top level, bytes as base64. */
export interface EnvelopeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMetadata;
  readonly sender: string;
  readonly recipient: string;
  readonly contents: { readonly body: string; readonly nonce: string };
}

/** The part of an object's metadata that we look at. */
export interface ObjectMetadata {
  readonly name: string;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
}

/** The path of all envelopes of a namespace, or of the one with that name. */
export function resourcePath(namespace: string, name?: string): string {
  const collection = `/apis/${group}/${version}/namespaces/${namespace}/${plural}`;
  return name === undefined ? collection : `${collection}/${encodeURIComponent(name)}`;
}

/** The field selector for envelopes to one key. Commas, equals signs and backslashes of the value are escaped. */
export function recipientSelector(recipient: PublicKey): string {
  return `recipient=${recipient.toString().replace(/[\\,=]/g, "\\$&")}`;
}

/**
 * The object of an envelope. Its name begins with our time, so that a list, which is sorted by name, begins with the
 * oldest. Nothing else depends on that clock.
 */
export function toObject({ sender, recipient, body, nonce }: Envelope): EnvelopeObject {
  checkBox(body, nonce);
  const name = `${Date.now().toString(16).padStart(12, "0")}-${randomBytes(8).toString("hex")}`;
  return {
    apiVersion: `${group}/${version}`,
    kind,
    metadata: { name },
    sender: sender.toString(),
    recipient: recipient.toString(),
    contents: { body: toBase64(body), nonce: toBase64(nonce) },
  };
}

/** The inverse. Throws `invalid-envelope` and `invalid-key`: whoever may create objects may write anything into them. */
export function fromObject(object: Partial<EnvelopeObject>): Envelope {
  const body = fromBase64(object.contents?.body);
  const nonce = fromBase64(object.contents?.nonce);
  if (body === undefined || nonce === undefined) {
    throw new WiceError("invalid-envelope", "not an envelope: its contents are not base64");
  }
  checkBox(body, nonce);
  return {
    sender: PublicKey.parse(object.sender ?? ""),
    recipient: PublicKey.parse(object.recipient ?? ""),
    body,
    nonce,
  };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** Undefined for what is not the one canonical text of its bytes. */
function fromBase64(text: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof text !== "string") return undefined;
  const buffer = Buffer.from(text, "base64");
  if (buffer.toString("base64") !== text) return undefined;
  // Of its own: a small Buffer is a piece of a pool, and its `buffer` is everybody's.
  return new Uint8Array(buffer);
}
