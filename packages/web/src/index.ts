// biome-ignore-all assist/source/organizeImports: by concept, in the order in which one reads them.

// Where most pages start
export { openBackend, type OpenBackend, type OpenBackendOptions } from "./open-backend.ts";
export { openPeer, type OpenPeer, type OpenPeerOptions } from "./open-peer.ts";

// Keys
export {
  openKeyStore,
  type ImportOptions,
  type KeyStore,
  type KeyStoreOptions,
  type StoredKey,
} from "./keys/key-store.ts";

// Transports
export {
  createConnectTransport,
  type ConnectDropped,
  type ConnectTransport,
} from "./connect/transport.ts";
export type { ConnectClientOptions, ConnectTransportOptions } from "./connect/options.ts";
export { connectFactory } from "./connect/factory.ts";
export {
  broadcastFactory,
  type BroadcastTransportOptions,
  createBroadcastTransport,
} from "./broadcast/transport.ts";
export { webTransports, type WebTransportsOptions } from "./web-transports.ts";

// Sessions
export { relayIceServers, type RelayIceServersOptions } from "./relay-ice-servers.ts";
export { watchNetwork } from "./watch-network.ts";
