/** How a Connect call ends: https://connectrpc.com/docs/protocol#error-codes */

import type { RefusalCode } from "./counters.ts";
import { retryHeader, retryHint, type Status } from "./status.ts";

const codes: Readonly<Record<RefusalCode, { readonly name: string; readonly http: number }>> = {
  cancelled: { name: "canceled", http: 499 },
  "invalid-argument": { name: "invalid_argument", http: 400 },
  "deadline-exceeded": { name: "deadline_exceeded", http: 504 },
  "resource-exhausted": { name: "resource_exhausted", http: 429 },
  unimplemented: { name: "unimplemented", http: 501 },
  internal: { name: "internal", http: 500 },
  unavailable: { name: "unavailable", http: 503 },
};

export function httpStatusOf({ code }: Status): number {
  return codes[code].http;
}

/** The body of a unary call that fails. */
export function errorJson(status: Status): Buffer {
  return Buffer.from(JSON.stringify(error(status)));
}

/** The message that ends a stream. */
export function endStreamJson(status: Status): Buffer {
  const hint = retryHint(status);
  return Buffer.from(
    JSON.stringify({ error: error(status), ...(hint !== undefined && { metadata: { [retryHeader]: [hint] } }) }),
  );
}

function error({ code, message }: Status): { readonly code: string; readonly message: string } {
  return { code: codes[code].name, message };
}

/** The value of `Connect-Timeout-Ms` (at least 1), `Infinity` without the header, NaN when malformed. */
export function connectTimeoutMs(header: string | undefined): number {
  if (header === undefined) return Number.POSITIVE_INFINITY;
  return /^\d{1,10}$/.test(header) ? Math.max(1, Number(header)) : Number.NaN;
}
