/** The headers by which the client of a protocol says how long it waits, and how what it sends is compressed. */

import type { IncomingHttpHeaders } from "node:http";
import { connectTimeoutMs } from "./connect-status.ts";
import { timeoutMs } from "./grpc-status.ts";

export interface RequestHeaders {
  /** How long the client waits, `Infinity` when it does not say; a string says what is wrong with the headers. */
  deadlineMs(headers: IncomingHttpHeaders): number | string;
  /** Which header names the compression of the request, and which those that a client may use. */
  readonly encoding: string;
  readonly acceptEncoding: string;
}

/** gRPC and gRPC-Web. */
export const grpcHeaders: RequestHeaders = {
  deadlineMs(headers) {
    const header = headers["grpc-timeout"];
    if (header === undefined) return Number.POSITIVE_INFINITY;
    const ms = timeoutMs(String(header));
    return Number.isNaN(ms) ? "grpc-timeout is malformed" : ms;
  },
  encoding: "grpc-encoding",
  acceptEncoding: "grpc-accept-encoding",
};

export const connectUnaryHeaders: RequestHeaders = {
  deadlineMs: connectDeadlineMs,
  encoding: "content-encoding",
  acceptEncoding: "accept-encoding",
};

export const connectStreamHeaders: RequestHeaders = {
  deadlineMs: connectDeadlineMs,
  encoding: "connect-content-encoding",
  acceptEncoding: "connect-accept-encoding",
};

function connectDeadlineMs(headers: IncomingHttpHeaders): number | string {
  const version = headers["connect-protocol-version"];
  if (version !== undefined && version !== "1") return 'connect-protocol-version must be "1"';
  const timeout = headers["connect-timeout-ms"];
  if (timeout === undefined) return Number.POSITIVE_INFINITY;
  const ms = connectTimeoutMs(String(timeout));
  return Number.isNaN(ms) ? "connect-timeout-ms is malformed" : ms;
}

/** Whether the request says that it is compressed. */
export function isCompressed(headers: IncomingHttpHeaders, { encoding }: RequestHeaders): boolean {
  const name = headers[encoding];
  return name !== undefined && name !== "identity";
}
