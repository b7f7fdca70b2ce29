/** Every transport of this entry point, by URL. */

import { createTransportRegistry, inProcessFactory, type TransportRegistry } from "@wice/core";
import { grpcFactory } from "./grpc/factory.ts";
import type { GrpcClientOptions } from "./grpc/options.ts";
import { kubernetesFactory } from "./kubernetes/factory.ts";
import type { KubernetesClientOptions } from "./kubernetes/options.ts";

export interface NodeTransportsOptions {
  /** For all gRPC transports. */
  readonly grpc?: GrpcClientOptions;
  /** For all Kubernetes transports. */
  readonly kubernetes?: KubernetesClientOptions;
}

/**
 * A registry of the schemes `grpc:`, `grpcs:`, `http:`, `https:`, `k8s:` and `inprocess:`.
 *
 * ```ts
 * const backend = createBackend(nodeTransports().open("grpc://127.0.0.1:8080?insecure=true"));
 * ```
 */
export function nodeTransports({ grpc = {}, kubernetes = {} }: NodeTransportsOptions = {}): TransportRegistry {
  return createTransportRegistry([grpcFactory(grpc), kubernetesFactory(kubernetes), inProcessFactory()]);
}
