// biome-ignore-all assist/source/organizeImports: by concept, in the order in which one reads them.

// Keys
export { PublicKey, publicKeyFlaw } from "./public-key.ts";
export { type KeyPair, PrivateKey } from "./private-key.ts";
export { generatePrivateKey, importPrivateKey, type PrivateKeyOptions, parsePrivateKey } from "./import-private-key.ts";
export type { KeyAgreement, X25519 } from "./key-agreement.ts";
export { nobleX25519 } from "./noble-x25519.ts";
export { electRole, type Role } from "./role.ts";

// Messages and envelopes
export { decodeMessage, encodeMessage, type Message, type MessageInit } from "./message.ts";
export { decodeEnvelope, type Envelope, encodeEnvelope } from "./envelope.ts";
export { open, seal } from "./box.ts";

// Backends
export { type BackendOptions, createBackend } from "./backend/create-backend.ts";
export type {
  Backend,
  BackendStatus,
  DropReason,
  Instance,
  PublishOptions,
  PublishReceipt,
  ReceivedMessage,
  SubscribeOptions,
  Subscription,
} from "./backend/backend.ts";

// Transports
export type { EnvelopeSubscription, EnvelopeTransport, TransportReceipt } from "./transport/transport.ts";
export { createTransportRegistry, type TransportFactory, type TransportRegistry } from "./transport/registry.ts";
export {
  createInProcessNetwork,
  type InProcessNetwork,
  type InProcessOptions,
  inProcessFactory,
} from "./transport/in-process.ts";
export {
  type MultiOptions,
  type MultiStatus,
  type MultiTransport,
  multi,
  type NamedTransport,
} from "./transport/multi.ts";
export type { MemberHealth } from "./transport/multi-member.ts";

// Sessions
export { createPeer } from "./session/create-peer.ts";
export type { Peer, PeerOptions, PeerStatus } from "./session/peer.ts";
export type { Session, SessionCloseOptions, SessionEnd, SessionStatus } from "./session/session.ts";
export type { Channel } from "./session/channel.ts";
export type { TimelineEntry, TimelineEvent } from "./session/timeline.ts";
export type { Verdict, VerdictCode } from "./session/verdict.ts";

// ICE agents
export type {
  Agent,
  AgentChannel,
  AgentConnection,
  AgentDescription,
  AgentName,
  ChannelHandlers,
  ChannelOptions,
  ConnectionEvents,
  ConnectionOptions,
  ConnectionState,
  NativeOf,
  SelectedPair,
  ServerError,
} from "./agent/agent.ts";
export type { Candidate } from "./agent/candidate.ts";
export { rtc, type RtcOptions } from "./agent/rtc.ts";
export type { IceServers, IceServerSource } from "./agent/ice-servers.ts";
export type { IceServer, PeerConnectionConfiguration, PeerConnectionLike } from "./agent/rtc-types.ts";

// Errors, time, calls
export { isWiceError, WiceError, type WiceErrorCode, type WiceErrorOptions } from "./errors.ts";
export type { CallOptions } from "./call-options.ts";
export { type Clock, systemClock, type Timer } from "./async/clock.ts";
export type { BackoffOptions } from "./async/backoff.ts";
export { type RandomBytes, randomBytes } from "./bytes.ts";
