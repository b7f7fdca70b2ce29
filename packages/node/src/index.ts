// biome-ignore-all assist/source/organizeImports: by concept, in the order in which one reads them.

// Where most programs start
export { openBackend, type OpenBackend, type OpenBackendOptions } from "./open-backend.ts";

export { openPeer, type OpenPeer, type OpenPeerOptions } from "./open-peer.ts";

// Keys
export { generatePrivateKey, importPrivateKey, parsePrivateKey } from "./private-key.ts";
export { readKeyFile, writeKeyFile } from "./key-file.ts";
export { nodeX25519 } from "./node-x25519.ts";

// Transports
export { createGrpcTransport, type GrpcDropped, type GrpcTransport } from "./grpc/transport.ts";
export type { GrpcClientOptions, GrpcTransportOptions } from "./grpc/options.ts";
export { type GrpcEndpoint, parseGrpcUrl } from "./grpc/endpoint.ts";
export { grpcFactory } from "./grpc/factory.ts";
export { type NodeTransportsOptions, nodeTransports } from "./node-transports.ts";

// ICE
export { nodeRtc } from "./rtc-agent.ts";
export { relayIceServers, type RelayIceServersOptions } from "./relay-ice-servers.ts";
