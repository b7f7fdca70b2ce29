/** STUN messages (RFC 8489), as far as ICE and TURN need them. What is signed is read up to its signature, and no further. */

import { createHmac, timingSafeEqual } from "node:crypto";
import { isIPv4 } from "node:net";
import { crc32 } from "node:zlib";

export interface StunMessage {
  readonly method: number;
  readonly kind: StunKind;
  /** 12 bytes. */
  readonly id: Buffer;
  /** The first of each type. Those behind MESSAGE-INTEGRITY do not count: anybody can add them. */
  readonly attributes: ReadonlyMap<number, Buffer>;
  /** Where MESSAGE-INTEGRITY begins. */
  readonly integrityAt: number | undefined;
  readonly bytes: Buffer;
}

export type StunKind = "request" | "indication" | "success" | "error";

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export const method = {
  binding: 0x001,
  allocate: 0x003,
  refresh: 0x004,
  send: 0x006,
  data: 0x007,
  createPermission: 0x008,
  channelBind: 0x009,
} as const;

export const attribute = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  channelNumber: 0x000c,
  lifetime: 0x000d,
  xorPeerAddress: 0x0012,
  data: 0x0013,
  realm: 0x0014,
  nonce: 0x0015,
  xorRelayedAddress: 0x0016,
  requestedTransport: 0x0019,
  xorMappedAddress: 0x0020,
  priority: 0x0024,
  useCandidate: 0x0025,
  fingerprint: 0x8028,
  iceControlled: 0x8029,
  iceControlling: 0x802a,
} as const;

const headerBytes = 20;
const cookie = 0x2112a442;
const integrityBytes = 20;
const fingerprintMask = 0x5354554e;
const kinds: readonly StunKind[] = ["request", "indication", "success", "error"];

/** Undefined for what is none: data of the application's, or garbage. */
export function parseStun(bytes: Buffer): StunMessage | undefined {
  if (bytes.length < headerBytes || (bytes[0] as number) > 3 || bytes.readUInt32BE(4) !== cookie) return undefined;
  const length = bytes.readUInt16BE(2);
  if (length % 4 !== 0 || length !== bytes.length - headerBytes) return undefined;
  const attributes = new Map<number, Buffer>();
  let integrityAt: number | undefined;
  for (let at = headerBytes; at < bytes.length; ) {
    if (at + 4 > bytes.length) return undefined;
    const type = bytes.readUInt16BE(at);
    const end = at + 4 + bytes.readUInt16BE(at + 2);
    if (end > bytes.length) return undefined;
    const value = bytes.subarray(at + 4, end);
    if (type === attribute.fingerprint) {
      if (value.length !== 4 || value.readUInt32BE(0) !== fingerprintOf(bytes.subarray(0, at))) return undefined;
    } else if (integrityAt === undefined) {
      if (type === attribute.messageIntegrity) integrityAt = at;
      if (!attributes.has(type)) attributes.set(type, value);
    }
    at = end + (-end & 3);
  }
  const type = bytes.readUInt16BE(0);
  return {
    method: (type & 0x000f) | ((type & 0x00e0) >> 1) | ((type & 0x3e00) >> 2),
    kind: kinds[((type & 0x0010) >> 4) | ((type & 0x0100) >> 7)] as StunKind,
    id: bytes.subarray(8, headerBytes),
    ...{ attributes, integrityAt, bytes },
  };
}

/** Whether who sent it has the key. */
export function isSignedWith({ bytes, integrityAt, attributes }: StunMessage, key: Uint8Array): boolean {
  const signature = attributes.get(attribute.messageIntegrity);
  if (integrityAt === undefined || signature?.length !== integrityBytes) return false;
  return timingSafeEqual(signature, sign(bytes.subarray(0, integrityAt), key));
}

export interface StunContent {
  readonly method: number;
  readonly kind: StunKind;
  readonly id: Uint8Array;
  /** An endpoint is written as XOR-…-ADDRESS attributes are. */
  readonly attributes: readonly (readonly [type: number, value: Uint8Array | Endpoint])[];
  /** Signs it. */
  readonly key?: Uint8Array | undefined;
}

export function encodeStun({ method: of, kind, id, attributes, key }: StunContent): Buffer {
  const parts = attributes.map(([type, value]) =>
    encodeAttribute(type, value instanceof Uint8Array ? value : writeXorAddress(value, id)),
  );
  const header = Buffer.alloc(headerBytes);
  const bits = kinds.indexOf(kind);
  const methodBits = (of & 0x000f) | ((of & 0x0070) << 1) | ((of & 0x0f80) << 2);
  header.writeUInt16BE(methodBits | ((bits & 1) << 4) | ((bits & 2) << 7), 0);
  header.writeUInt32BE(cookie, 4);
  header.set(id, 8);
  let message = Buffer.concat([header, ...parts]);
  if (key !== undefined)
    message = Buffer.concat([message, encodeAttribute(attribute.messageIntegrity, sign(message, key))]);
  message.writeUInt16BE(message.length - headerBytes + 8, 2);
  const fingerprint = uint32(fingerprintOf(message));
  return Buffer.concat([message, encodeAttribute(attribute.fingerprint, fingerprint)]);
}

/** The length field counts up to and with the signature. */
function sign(before: Buffer, key: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(before.length - headerBytes + 4 + integrityBytes, 0);
  return createHmac("sha1", key).update(before.subarray(0, 2)).update(length).update(before.subarray(4)).digest();
}

function fingerprintOf(before: Buffer): number {
  return (crc32(before) ^ fingerprintMask) >>> 0;
}

function encodeAttribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4 + value.length + (-value.length & 3));
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  bytes.set(value, 4);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0, 0);
  return bytes;
}

function writeXorAddress({ address, port }: Endpoint, id: Uint8Array): Buffer {
  const raw = isIPv4(address) ? bytesOfIPv4(address) : bytesOfIPv6(address);
  const value = Buffer.alloc(4 + raw.length);
  value.writeUInt8(raw.length === 4 ? 1 : 2, 1);
  value.writeUInt16BE(port ^ (cookie >>> 16), 2);
  value.set(masked(raw, id), 4);
  return value;
}

/** Undefined for what is none. */
export function readXorAddress(value: Buffer | undefined, id: Uint8Array): Endpoint | undefined {
  const rawBytes = value?.[1] === 1 ? 4 : 16;
  if (value === undefined || value.length !== 4 + rawBytes || (value[1] !== 1 && value[1] !== 2)) return undefined;
  const raw = masked(value.subarray(4), id);
  const port = value.readUInt16BE(2) ^ (cookie >>> 16);
  return { address: raw.length === 4 ? raw.join(".") : textOfIPv6(raw), port };
}

/** The number of an ERROR-CODE attribute. */
export function readErrorCode({ attributes }: StunMessage): number {
  const value = attributes.get(attribute.errorCode);
  return value === undefined || value.length < 4 ? 0 : (value.readUInt8(2) & 7) * 100 + value.readUInt8(3);
}

function masked(raw: Uint8Array, id: Uint8Array): Buffer {
  const mask = Buffer.concat([uint32(cookie), id]);
  return Buffer.from(raw.map((byte, index) => byte ^ (mask[index] as number)));
}

function bytesOfIPv4(address: string): Uint8Array {
  return Uint8Array.from(address.split("."), Number);
}

function bytesOfIPv6(address: string): Uint8Array {
  const [head = "", tail] = address.split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...new Array<number>(zeros).fill(0), ...after];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function textOfIPv6(raw: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => raw.readUInt16BE(2 * index).toString(16));
  return normalAddress(groups.join(":"));
}

/** The one spelling of an address that the system uses, so that texts can be compared. */
export function normalAddress(address: string): string {
  const [bare = ""] = address.split("%");
  if (!bare.includes(":")) return bare;
  const normal = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(normal);
  if (mapped === null) return normal;
  const [high, low] = [mapped[1], mapped[2]].map((group) => Number.parseInt(group as string, 16)) as [number, number];
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
}
