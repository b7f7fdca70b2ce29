/** What the implementation of a routed call has to know of who calls, beside the request. */

import { type ContextKey, createContextKey } from "@connectrpc/connect";
import type { AddressState } from "../connections.ts";

export interface Caller {
  readonly address: AddressState;
  /** When the client gives up, by `performance.now()`. */
  readonly deadlineMs: number;
}

export const callerKey: ContextKey<Caller> = /* @__PURE__ */ createContextKey<Caller>({
  address: { connections: 0, subscriptions: 0, pendingBytes: 0, bucket: { used: 0, atMs: 0 } },
  deadlineMs: Number.POSITIVE_INFINITY,
});
