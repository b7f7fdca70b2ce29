/** What the page of these tests can do with `openPeer`. Peers go by a name that the test chose; keys are base64. */

export interface OpenPeerFunctions {
  openWhole(
    name: string,
    options: WholeOptions,
  ): Promise<{ readonly publicKey: string; readonly warning: string | undefined }>;
  closeWhole(name: string): Promise<void>;
  /** Resolves when data can flow. */
  connect(name: string, to: string): Promise<{ readonly remote: string; readonly protection: string }>;
  /** Over the session with that peer. */
  say(name: string, to: string, text: string): Promise<void>;
  /** Resolves when the text has come over any session. */
  untilSaid(name: string, text: string): Promise<{ readonly from: string }>;
  /** Resolves when the session with that peer is over. */
  untilEnded(name: string, other: string): Promise<{ readonly cause: string; readonly reason: string }>;
  /** The name of our end of the path as ICE knows it: another one after a restart. */
  ufrag(name: string, of: string): string | undefined;
  /** What is left of peers in the page. */
  leftovers(): Leftovers;
  /** The servers of each RTCPeerConnection that was made, as WebRTC was given them. */
  iceServers(): readonly (readonly WholeIceServer[])[];
}

export interface WholeOptions {
  readonly relay: string;
  readonly key?: string;
  /** Whether everybody may call. Default false. */
  readonly accept?: boolean;
  readonly protocol?: "connect" | "grpc-web";
}

export interface Leftovers {
  /** RTCPeerConnections that are not closed. */
  readonly connections: number;
  /** Listeners on window, document and `navigator.connection`. */
  readonly listeners: number;
}

export interface WholeIceServer {
  readonly urls: readonly string[];
  readonly username?: string;
  readonly credential?: string;
}
