/** From what gRPC, HTTP and HTTP/2 say about a failed call to a {@link WiceError}. */

import { constants, type IncomingHttpHeaders } from "node:http2";
import { WiceError, type WiceErrorCode } from "@wice/core";

/**
 * The error of a gRPC status, or undefined for OK. `where` names the server for people.
 *
 * `ResourceExhausted` may mean a full quota or a message that is too large. Our relay forbids to try again where it
 * means the size; of other servers it is taken for the quota, since envelopes are measured before they are sent.
 */
export function statusError(trailers: IncomingHttpHeaders, where: string): WiceError | undefined {
  const text = single(trailers["grpc-status"]);
  if (text === "0") return undefined;
  const status = /^\d{1,2}$/.test(text) ? statuses[Number(text)] : undefined;
  if (status === undefined) return new WiceError("protocol", `${where} ended a call with an unknown gRPC status`);
  const pushback = single(trailers["grpc-retry-pushback-ms"]);
  // A pushback that is not a number of milliseconds means: do not try again (gRFC A6).
  const declined = pushback !== "" && !/^\d{1,9}$/.test(pushback);
  const retryable = status.retryable && !declined;
  const message = printable(single(trailers["grpc-message"]));
  return new WiceError(status.code, `${where} answered ${status.name}${message === "" ? "" : `: ${message}`}`, {
    retryable,
    ...(retryable && pushback !== "" && { retryAfterMs: Number(pushback) }),
  });
}

/** The error of an answer that is not gRPC's, or undefined where it is. */
export function responseError(headers: IncomingHttpHeaders, status: number, where: string): WiceError | undefined {
  const type = single(headers["content-type"]);
  if (status === 200 && /^application\/grpc(\+proto)?(\s*;.*)?$/i.test(type)) return undefined;
  if (status === 200 && type === "" && headers["grpc-status"] !== undefined) return undefined;
  const hint = "is it a wice relay or a cunicu signaling server?";
  if (status === 200) return new WiceError("protocol", `${where} did not answer in gRPC; ${hint}`);
  const code = httpCodes[status] ?? (status >= 500 ? "unavailable" : "protocol");
  const retryable = code === "unavailable" || code === "resource-exhausted";
  const seconds = single(headers["retry-after"]);
  return new WiceError(code, `${where} answered HTTP ${status}; ${retryable ? "try again later" : hint}`, {
    retryable,
    ...(retryable && /^\d{1,6}$/.test(seconds) && { retryAfterMs: 1000 * Number(seconds) }),
  });
}

/** The error of a stream that was reset, or that ended without a status. */
export function resetError(resetCode: number, where: string): WiceError {
  if (resetCode === constants.NGHTTP2_ENHANCE_YOUR_CALM) {
    return new WiceError("resource-exhausted", `${where} asks for fewer calls`, { retryable: true });
  }
  const how = resetNames[resetCode] ?? `reset the call (HTTP/2 error ${resetCode})`;
  return new WiceError("unavailable", `${where} ${how}`, { retryable: true });
}

interface Status {
  readonly name: string;
  readonly code: WiceErrorCode;
  readonly retryable: boolean;
}

const passing = (name: string, code: WiceErrorCode = "unavailable"): Status => ({ name, code, retryable: true });
const lasting = (name: string, code: WiceErrorCode = "protocol"): Status => ({ name, code, retryable: false });

/** By number. What proxies and dying servers answer in passing (Unknown, Internal, Aborted) is worth another try. */
const statuses: readonly (Status | undefined)[] = [
  undefined,
  passing("Cancelled"),
  passing("Unknown"),
  lasting("InvalidArgument", "invalid-envelope"),
  passing("DeadlineExceeded"),
  lasting("NotFound"),
  lasting("AlreadyExists"),
  lasting("PermissionDenied", "permission-denied"),
  passing("ResourceExhausted", "resource-exhausted"),
  lasting("FailedPrecondition"),
  passing("Aborted"),
  lasting("OutOfRange"),
  lasting("Unimplemented", "unsupported"),
  passing("Internal"),
  passing("Unavailable"),
  lasting("DataLoss"),
  lasting("Unauthenticated", "unauthenticated"),
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

const resetNames: Readonly<Record<number, string>> = {
  [constants.NGHTTP2_NO_ERROR]: "ended the call without an answer",
  [constants.NGHTTP2_CANCEL]: "cancelled the call",
  [constants.NGHTTP2_REFUSED_STREAM]: "takes no new calls now",
};

function single(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? "";
}

/** A server's own words, fit for one line of a log. */
function printable(message: string): string {
  let text = message;
  try {
    text = decodeURIComponent(message);
  } catch {
    // Percent signs that encode nothing stay as they are.
  }
  return text.replace(/[^\p{L}\p{N}\p{P}\p{S}\p{Zs}]+/gu, " ").slice(0, 200);
}
