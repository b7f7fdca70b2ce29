/** How a gRPC call ends: codes, trailers, and what may stand in a message. */

import type { RefusalCode } from "./counters.ts";
import { retryHeader, retryHint, type Status } from "./status.ts";

/** The numbers of https://grpc.github.io/grpc/core/md_doc_statuscodes.html that the relay uses. */
const codes: Readonly<Record<RefusalCode, number>> = {
  cancelled: 1,
  "invalid-argument": 3,
  "deadline-exceeded": 4,
  "resource-exhausted": 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
};

/** The trailers of a call that ends with this status. */
export function trailersOf(status: Status): Record<string, string> {
  const trailers: Record<string, string> = {
    "grpc-status": String(codes[status.code]),
    "grpc-message": percentEncode(status.message),
  };
  const hint = retryHint(status);
  if (hint !== undefined) trailers[retryHeader] = hint;
  return trailers;
}

/** As "PROTOCOL-HTTP2.md" wants `grpc-message`: UTF-8, where all but printable ASCII without `%` is escaped. */
export function percentEncode(text: string): string {
  let encoded = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** The value of `grpc-timeout` in milliseconds (at least 1), `Infinity` without the header, NaN when malformed. */
export function timeoutMs(header: string | undefined): number {
  if (header === undefined) return Number.POSITIVE_INFINITY;
  const match = /^(\d{1,8})([HMSmun])$/.exec(header);
  return match === null ? Number.NaN : Math.max(1, Number(match[1]) * (unitMs[match[2] as string] as number));
}
