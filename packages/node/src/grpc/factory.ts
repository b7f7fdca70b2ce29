/** gRPC servers by URL, for a registry of transports. */

import type { TransportFactory } from "@wice/core";
import { grpcSchemes } from "./endpoint.ts";
import type { GrpcClientOptions } from "./options.ts";
import { createGrpcTransport } from "./transport.ts";

/**
 * Opens `grpc:`, `grpcs:`, `http:` and `https:` URLs, in the forms that {@link parseGrpcUrl} describes. The options hold
 * for every transport that it opens.
 */
export function grpcFactory(options: GrpcClientOptions = {}): TransportFactory {
  return { schemes: grpcSchemes, open: (url) => createGrpcTransport({ ...options, url: url.href }) };
}
