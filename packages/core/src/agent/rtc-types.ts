/** The part of WebRTC's API that is used, as any implementation has it: core knows no DOM types. */

export interface PeerConnectionLike extends EventSource {
  readonly localDescription: SessionDescriptionLike | null | undefined;
  readonly signalingState: string;
  /** Old implementations do not have it. */
  readonly connectionState?: string | undefined;
  readonly iceConnectionState: string;
  readonly iceGatheringState: string;
  readonly sctp?: { readonly maxMessageSize: number | null } | null | undefined;
  createDataChannel(label: string, init: DataChannelInit): DataChannelLike;
  createOffer(options?: { iceRestart?: boolean }): Promise<SessionDescriptionLike>;
  createAnswer(): Promise<SessionDescriptionLike>;
  setLocalDescription(description: { type: "offer" | "answer" | "rollback"; sdp?: string }): Promise<unknown>;
  setRemoteDescription(description: { type: "offer" | "answer"; sdp: string }): Promise<unknown>;
  addIceCandidate(candidate: IceCandidateInit): Promise<unknown>;
  setConfiguration?(configuration: PeerConnectionConfiguration): void;
  restartIce?(): unknown;
  getStats(): Promise<{ forEach(visit: Listener): void }>;
  /** Some return a promise. */
  close(): unknown;
}

export interface SessionDescriptionLike {
  readonly type: string;
  readonly sdp?: string | undefined;
}

interface IceCandidateInit {
  candidate: string;
  sdpMid?: string | null;
  sdpMLineIndex?: number | null;
  usernameFragment?: string | null;
}

export interface DataChannelLike extends EventSource {
  readonly label: string;
  readonly protocol: string;
  readonly id: number | null;
  readonly maxRetransmits?: number | null | undefined;
  readonly maxPacketLifeTime?: number | null | undefined;
  readonly readyState: string;
  readonly bufferedAmount: number;
  bufferedAmountLowThreshold: number;
  binaryType: string;
  send(data: Uint8Array<ArrayBuffer> | string): void;
  close(): void;
}

export interface DataChannelInit {
  negotiated?: boolean;
  id?: number;
  ordered?: boolean;
  maxRetransmits?: number;
  maxPacketLifeTime?: number;
  protocol?: string;
}

interface EventSource {
  addEventListener(type: string, listener: Listener): void;
  removeEventListener(type: string, listener: Listener): void;
}

/** Of events and reports. */
// biome-ignore lint/suspicious/noExplicitAny: only this fits what browsers hand over and what everybody else does.
type Listener = (event: any) => void;

/** As browsers take them. */
export interface IceServer {
  readonly urls: string | string[];
  readonly username?: string;
  readonly credential?: string;
}

export interface PeerConnectionConfiguration {
  iceServers: IceServer[];
  iceTransportPolicy?: "all" | "relay";
  bundlePolicy: "max-bundle";
  rtcpMuxPolicy: "require";
}

/** Listens, and returns what stops that. */
export function listen<Event>(source: EventSource, type: string, listener: (event: Event) => void): () => void {
  source.addEventListener(type, listener);
  return () => source.removeEventListener(type, listener);
}
