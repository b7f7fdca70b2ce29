/** How a call ends when it does not end well, before any protocol has given it a form. */

import type { RefusalCode } from "./counters.ts";

/** Why a call is refused or a stream ends. The message never repeats anything of the request. */
export interface Status {
  readonly code: RefusalCode;
  /** Printable ASCII. */
  readonly message: string;
  /** When to try again, in milliseconds; negative: never. */
  readonly retryAfterMs?: number;
}

/** Metadata that tells a client when to try again: gRFC A6's name, in every protocol. */
export const retryHeader = "grpc-retry-pushback-ms";

export function retryHint({ retryAfterMs }: Status): string | undefined {
  return retryAfterMs === undefined ? undefined : String(Math.ceil(retryAfterMs));
}

export const relayStops: Status = { code: "unavailable", message: "the relay stops; subscribe again" };

export const deadlineOver: Status = {
  code: "deadline-exceeded",
  message: "the deadline that the client set is over",
};
