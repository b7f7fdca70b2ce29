/** Every transport of this entry point, by URL. */

import { createTransportRegistry, inProcessFactory, type TransportRegistry } from "@wice/core";
import { grpcFactory } from "./grpc/factory.ts";
import type { GrpcClientOptions } from "./grpc/options.ts";

export interface NodeTransportsOptions {
  /** For all gRPC transports. */
  readonly grpc?: GrpcClientOptions;
}

/**
 * A registry of the schemes `grpc:`, `grpcs:`, `http:`, `https:` and `inprocess:`.
 *
 * ```ts
 * const backend = createBackend(nodeTransports().open("grpc://127.0.0.1:8080?insecure=true"));
 * ```
 */
export function nodeTransports({ grpc = {} }: NodeTransportsOptions = {}): TransportRegistry {
  return createTransportRegistry([grpcFactory(grpc), inProcessFactory()]);
}
