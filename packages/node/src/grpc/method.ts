/** The remote procedures of a signaling server, and the request headers of a call. */

import type { OutgoingHttpHeaders } from "node:http2";
import type { GrpcEndpoint } from "./endpoint.ts";

export type GrpcMethod =
  | `/cunicu.signaling.Signaling/${"GetBuildInfo" | "Publish" | "Subscribe"}`
  | "/cunicu.signaling.RelayRegistry/GetRelays";

/** The same for every call of a method: made once, they cost one byte each on the wire from the second call on. */
export function requestHeaders(endpoint: GrpcEndpoint, method: GrpcMethod, timeoutMs?: number): OutgoingHttpHeaders {
  return {
    ":method": "POST",
    ":scheme": endpoint.tls ? "https" : "http",
    ":authority": endpoint.authority,
    ":path": method,
    "content-type": "application/grpc",
    te: "trailers",
    "user-agent": "wice-node",
    ...(timeoutMs !== undefined && { "grpc-timeout": grpcTimeout(timeoutMs) }),
  };
}

/** At most eight digits, so whole seconds where milliseconds would take more. */
function grpcTimeout(timeoutMs: number): string {
  return timeoutMs < 1e8 ? `${timeoutMs}m` : `${Math.ceil(timeoutMs / 1000)}S`;
}
