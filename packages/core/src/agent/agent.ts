/**
 * What a session needs of an ICE implementation. An agent makes connections; a session tells a connection what the peer
 * has said, and hears what to tell the peer.
 */

import type { WiceError } from "../errors.ts";
import type { Role } from "../role.ts";
import type { Dialect } from "../session/dialect.ts";
import type { Candidate } from "./candidate.ts";

/** As peers name it to each other. One that seals its datagrams and one that does not are two: they cannot talk. */
export type AgentName = "rtc" | "datagram" | "datagram-bare";

export interface Agent<Native = unknown> {
  readonly name: AgentName;
  /**
   * Whether a TURN server is known: what `explain()` says depends on it. It may change: who knows the servers is asked when
   * the first connection is made.
   */
  readonly hasTurn: boolean;
  /** A new connection, which does nothing until it is told. Throws `unsupported` where the platform cannot. */
  connect(options: ConnectionOptions): AgentConnection<Native>;
  /** Lets peers that are cunīcu daemons in, where the agent can talk to them: `createCunicuDialect` of `@wice/core/dialect`. */
  readonly dialect?: Dialect | undefined;
}

/** What {@link AgentConnection.native} is with one of these agents: of several, one of theirs. */
export type NativeOf<SomeAgent extends Agent> = SomeAgent extends Agent<infer Native> ? Native : never;

export interface ConnectionOptions {
  readonly role: Role;
  /** The other side sends and takes datagrams as they are: no protection, and no channel but `main`. */
  readonly bare?: boolean | undefined;
  readonly events: ConnectionEvents;
}

/**
 * Never called synchronously within a call to the connection, and not after `close`. What concerns a description is told
 * after the promise of that has settled, to those who wait for that promise itself.
 */
export interface ConnectionEvents {
  /** A candidate of ours, of the credentials with that ufrag. */
  onCandidate(candidate: Candidate, ufrag: string): void;
  /** No further ones come for that ufrag. */
  onCandidatesComplete(ufrag: string): void;
  /** {@link AgentConnection.state} has changed. */
  onState(state: ConnectionState, failure?: WiceError): void;
  /** The application has changed what it wants to send: an offer is due. */
  onNegotiationNeeded(): void;
  /** The peer has opened a channel. */
  onChannel(channel: AgentChannel): void;
  /** A STUN or TURN server does not do what it should. */
  onServerError(error: ServerError): void;
}

export interface ServerError {
  readonly url: string;
  /** As STUN defines them: 401 and 403 for refused credentials; 701 for a server that cannot be reached. */
  readonly code: number;
  readonly text: string;
}

/**
 * - `new`: no path yet;
 * - `connected`: both channels are open and the path answers: data can flow;
 * - `disconnected`: it was connected, and the path does not answer now; it may recover by itself;
 * - `failed`: the path is dead, or never came to be, until ICE is restarted;
 * - `closed`: for good, by us or by the peer.
 */
export type ConnectionState = "new" | "connected" | "disconnected" | "failed" | "closed";

/** What a connection says of itself, or is told of the peer's. */
export interface AgentDescription {
  /** Without candidates; empty for agents that have none. */
  readonly sdp: string;
  readonly ufrag: string;
  readonly pwd: string;
  /** X25519, 32 bytes, for this connection only; none where the agent has a protection of its own, as DTLS. */
  readonly ephemeralKey?: Uint8Array | undefined;
}

export interface AgentConnection<Native = unknown> {
  readonly state: ConnectionState;
  /**
   * The agent's own object: an `RTCPeerConnection`, for media and stats. Throws `unavailable` before the first description
   * was made.
   */
  readonly native: Native;
  readonly protection: "dtls" | "sealed" | "none";
  /**
   * Whether ICE can be restarted, by us or by the peer. Where not, a new connection has to replace this one. It may turn out
   * with the first restart.
   */
  readonly canRestart: boolean;
  /**
   * A new offer, which then waits for its answer. `restart` asks for new credentials. Rejects with `unsupported` where
   * it cannot, and with `closed`.
   */
  offer(options: { readonly restart: boolean }): Promise<AgentDescription>;
  /**
   * Takes an offer, and answers. An offer of ours that waits is taken back. Rejects with `invalid-message` for what is
   * no offer, `unsupported` where it cannot take ours back or follow a restart, and `closed`.
   */
  answer(offer: AgentDescription): Promise<AgentDescription>;
  /** Takes the answer to our offer. Rejects with `invalid-message` and `closed`. */
  accept(answer: AgentDescription): Promise<void>;
  /**
   * Candidates of the peer, of the credentials that were taken last. What ICE does not like is ignored; some may come before
   * any description, and wait for it.
   */
  addCandidates(candidates: readonly Candidate[]): void;
  /** No further ones come. */
  endCandidates(): void;
  /**
   * For messages of the session itself, which are made to stand loss where the channel is not reliable. As long as the
   * connection: its own `close` does nothing.
   */
  readonly control: AgentChannel;
  /** For the application's, as {@link AgentConnection.control}. */
  readonly main: AgentChannel;
  /** Throws `unsupported` where the agent has no further channels, `invalid-argument`, and `closed`. */
  openChannel(label: string, options: ChannelOptions): AgentChannel;
  /** The pair in use, once there is one. */
  selectedPair(): Promise<SelectedPair | undefined>;
  /** Idempotent. Channels close with it. */
  close(): void;
}

export interface SelectedPair {
  readonly local: Pick<Candidate, "type" | "protocol" | "address" | "port">;
  readonly remote: Pick<Candidate, "type" | "protocol" | "address" | "port">;
  /** Of the latest check, in milliseconds. */
  readonly roundTripMs: number | undefined;
}

/** As for `createDataChannel` of WebRTC. */
export interface ChannelOptions {
  /** Default true. */
  readonly ordered?: boolean | undefined;
  /** Default: until it arrives. Not together with `maxPacketLifeTimeMs`. */
  readonly maxRetransmits?: number | undefined;
  readonly maxPacketLifeTimeMs?: number | undefined;
  readonly protocol?: string | undefined;
}

/** A raw channel of an agent: it sends when told, and hands over what comes. */
export interface AgentChannel {
  readonly label: string;
  readonly state: "connecting" | "open" | "closed";
  readonly reliable: boolean;
  /** Who calls `send` may alter the memory of the message at once. Default false: it is left alone for good. */
  readonly copies?: boolean;
  /** The same number at both ends, while it is open. */
  readonly id: number;
  /** The largest message that the peer takes, in bytes. */
  readonly maxMessageBytes: number;
  /** Bytes given to `send` that have not left yet. */
  readonly bufferedBytes: number;
  /** Takes the message at once, whatever is buffered. Throws `closed`, and `too-large` above `maxMessageBytes`. */
  send(message: Uint8Array): void;
  /** Set by whoever owns the channel. Messages wait until there is one for them. */
  handlers: ChannelHandlers;
  /** Lets what is buffered leave first. Idempotent. */
  close(): void;
}

export interface ChannelHandlers {
  onOpen?(): void;
  onMessage?(message: Uint8Array): void;
  /** Less than `lowBytes` is buffered again. */
  onLow?(): void;
  /** The peer has closed it, or the connection is no more; not after a `close` of our own. */
  onClose?(): void;
}

/** When a channel calls {@link ChannelHandlers.onLow}. */
export const lowBytes = 262_144;
