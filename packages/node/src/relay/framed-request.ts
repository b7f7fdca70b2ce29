/** What can be wrong with a request that is one message with its length before it. The same for every protocol. */

import { prefixBytes } from "./frames.ts";
import type { Status } from "./status.ts";

/** Looks at the `received` bytes that have come so far; `compressed`: a header says how messages are compressed. */
export function framingFlaw(
  request: Buffer,
  received: number,
  maxBytes: number,
  compressed: boolean,
): Status | undefined {
  if (received < prefixBytes) return undefined;
  const flags = request[0] as number;
  if (flags === 1 && !compressed) {
    return { code: "internal", message: "the message is marked as compressed, and no header says how" };
  }
  if (flags > 1) return { code: "invalid-argument", message: "malformed message prefix" };
  const size = request.readUInt32BE(1);
  if (size > maxBytes) return tooLarge(maxBytes);
  return received > prefixBytes + size
    ? { code: "unimplemented", message: "more than one message in the request" }
    : undefined;
}

/** Looks at a request in which {@link framingFlaw} has found nothing, and that is all. */
export function endFlaw(request: Buffer, received: number): Status | undefined {
  if (received === 0) return { code: "unimplemented", message: "no message in the request" };
  if (received < prefixBytes || received !== prefixBytes + request.readUInt32BE(1)) {
    return { code: "invalid-argument", message: "the message is cut short" };
  }
  return undefined;
}

export function tooLarge(maxBytes: number): Status {
  return { code: "resource-exhausted", message: `larger than ${maxBytes} bytes`, retryAfterMs: -1 };
}
