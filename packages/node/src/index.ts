export { type GrpcEndpoint, parseGrpcUrl } from "./grpc/endpoint.ts";
export { grpcFactory } from "./grpc/factory.ts";
export type { GrpcClientOptions, GrpcTransportOptions } from "./grpc/options.ts";
export { createGrpcTransport, type GrpcDropped, type GrpcTransport } from "./grpc/transport.ts";
export { readKeyFile, writeKeyFile } from "./key-file.ts";
export { type NodeTransportsOptions, nodeTransports } from "./node-transports.ts";
export { nodeX25519 } from "./node-x25519.ts";
export { generatePrivateKey, importPrivateKey, parsePrivateKey } from "./private-key.ts";
