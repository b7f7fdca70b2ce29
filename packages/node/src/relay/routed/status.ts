/** How a routed call ends when it does not end well. */

import { Code, ConnectError } from "@connectrpc/connect";
import type { RefusalCode } from "../counters.ts";
import { retryHeader, retryHint, type Status } from "../status.ts";

const codes: Readonly<Record<RefusalCode, Code>> = {
  cancelled: Code.Canceled,
  "invalid-argument": Code.InvalidArgument,
  "deadline-exceeded": Code.DeadlineExceeded,
  "resource-exhausted": Code.ResourceExhausted,
  unimplemented: Code.Unimplemented,
  internal: Code.Internal,
  unavailable: Code.Unavailable,
};

/** What the router has to throw for a status. */
export function connectError(status: Status): ConnectError {
  const hint = retryHint(status);
  return new ConnectError(status.message, codes[status.code], hint === undefined ? undefined : { [retryHeader]: hint });
}
