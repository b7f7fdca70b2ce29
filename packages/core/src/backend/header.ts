/** The header of a message: direction, instances, sequence. Written and checked here only. */

import { create } from "@bufbuild/protobuf";
import { fromHex, toHex } from "../bytes.ts";
import { type Header, HeaderSchema, Role as WireRole } from "../gen/wice/v1/message_pb.ts";
import type { Role } from "../role.ts";
import type { DropReason, Instance } from "./backend.ts";
import type { Position } from "./replay-guard.ts";

const instanceBytes = 16;

/** What the sender of a message decides about its header. */
export interface HeaderFields {
  /** Undefined: any instance of the recipient's key. */
  readonly recipientInstance: Instance | undefined;
  readonly sequence: number;
  readonly acknowledge: boolean;
}

/** Whether text names an instance: 32 hexadecimal digits. */
export function isInstance(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

/** A header that binds the direction, and nothing else: for messages that no backend carries. */
export function writeDirection(role: Role): Header {
  return create(HeaderSchema, { senderRole: role === "controlling" ? WireRole.CONTROLLING : WireRole.CONTROLLED });
}

/** Whether the sender has not the opposite of our role: a message of our own that somebody has sent back. */
export function isReflected({ senderRole }: Header, role: Role): boolean {
  return senderRole !== (role === "controlling" ? WireRole.CONTROLLED : WireRole.CONTROLLING);
}

export function writeHeader(role: Role, instance: Instance, fields: HeaderFields): Header {
  return {
    ...writeDirection(role),
    instance: fromHex(instance),
    recipientInstance: fromHex(fields.recipientInstance ?? ""),
    sequence: BigInt(fields.sequence),
    acknowledge: fields.acknowledge,
  };
}

/** Where a received message stands, or why it is dropped. `role` and `instance` are ours. */
export function readHeader(header: Header, role: Role, instance: Instance): Position | DropReason {
  const { recipientInstance, acknowledge } = header;
  if (isReflected(header, role)) return "reflected";
  const sequence = Number(header.sequence);
  if (header.instance.length !== instanceBytes || sequence < 1 || !Number.isSafeInteger(sequence)) return "malformed";
  if (recipientInstance.length !== 0 && recipientInstance.length !== instanceBytes) return "malformed";
  const fresh = recipientInstance.length > 0 && toHex(recipientInstance) === instance;
  if (recipientInstance.length > 0 && !fresh) return "other-instance";
  return { instance: toHex(header.instance), sequence, acknowledge, fresh };
}
