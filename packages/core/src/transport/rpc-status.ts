/** From the answer of a gRPC, gRPC-Web or Connect server to a {@link WiceError}: the three have the same statuses. */

import { WiceError, type WiceErrorCode } from "../errors.ts";

export interface RpcStatus {
  /** By gRPC's numbers. */
  readonly status: number;
  /** The server's own words. */
  readonly message: string;
  /** The value of `grpc-retry-pushback-ms` (gRFC A6): milliseconds; anything else means never. */
  readonly pushback?: string | undefined;
}

/**
 * The error of a status, or undefined for OK. `where` names the server for people.
 *
 * `ResourceExhausted` may mean a full quota or a message that is too large. Our relay forbids to try again where it
 * means the size; of other servers it is taken for the quota, since envelopes are measured before they are sent.
 */
export function rpcStatusError({ status, message, pushback }: RpcStatus, where: string): WiceError | undefined {
  if (status === 0) return undefined;
  const known = rpcStatuses[status];
  if (known === undefined) return new WiceError("protocol", `${where} ended a call with an unknown status`);
  const [name, code, passing] = known;
  const declined = pushback !== undefined && !/^\d{1,9}$/.test(pushback);
  const retryable = passing && !declined;
  const words = printable(message);
  return new WiceError(code, `${where} answered ${name}${words === "" ? "" : `: ${words}`}`, {
    retryable,
    ...(retryable && pushback !== undefined && { retryAfterMs: Number(pushback) }),
  });
}

/** The error of an answer that only HTTP has a status for: what a proxy says, or a server that is no signaling server. */
export function httpStatusError(status: number, retryAfterSeconds: string, where: string): WiceError {
  const code = httpCodes[status] ?? (status >= 500 ? "unavailable" : "protocol");
  const retryable = code === "unavailable" || code === "resource-exhausted";
  const hint = retryable ? "try again later" : noSignalingServer;
  return new WiceError(code, `${where} answered HTTP ${status}; ${hint}`, {
    retryable,
    ...(retryable && /^\d{1,6}$/.test(retryAfterSeconds) && { retryAfterMs: 1000 * Number(retryAfterSeconds) }),
  });
}

/** What to say where the answer is in no form that a signaling server has. */
export const noSignalingServer = "is it a wice relay or a cunicu signaling server?";

type KnownStatus = readonly [name: string, code: WiceErrorCode, passing: boolean];

/** By number. What proxies and dying servers answer in passing (Unknown, Internal, Aborted) is worth another try. */
const rpcStatuses: readonly (KnownStatus | undefined)[] = [
  undefined,
  ["Cancelled", "unavailable", true],
  ["Unknown", "unavailable", true],
  ["InvalidArgument", "invalid-envelope", false],
  ["DeadlineExceeded", "unavailable", true],
  ["NotFound", "protocol", false],
  ["AlreadyExists", "protocol", false],
  ["PermissionDenied", "permission-denied", false],
  ["ResourceExhausted", "resource-exhausted", true],
  ["FailedPrecondition", "protocol", false],
  ["Aborted", "unavailable", true],
  ["OutOfRange", "protocol", false],
  ["Unimplemented", "unsupported", false],
  ["Internal", "unavailable", true],
  ["Unavailable", "unavailable", true],
  ["DataLoss", "protocol", false],
  ["Unauthenticated", "unauthenticated", false],
];

const httpCodes: Readonly<Record<number, WiceErrorCode>> = {
  401: "unauthenticated",
  403: "permission-denied",
  404: "unsupported",
  405: "unsupported",
  408: "unavailable",
  413: "too-large",
  415: "unsupported",
  425: "unavailable",
  429: "resource-exhausted",
  501: "unsupported",
  505: "unsupported",
};

/** Fit for one line of a log. */
function printable(message: string): string {
  return message.replace(/[^\p{L}\p{N}\p{P}\p{S}\p{Zs}]+/gu, " ").slice(0, 200);
}
