export { type GrpcEndpoint, parseGrpcUrl } from "./grpc/endpoint.ts";
export { grpcFactory } from "./grpc/factory.ts";
export type { GrpcClientOptions, GrpcTransportOptions } from "./grpc/options.ts";
export { createGrpcTransport, type GrpcDropped, type GrpcTransport } from "./grpc/transport.ts";
