/** What a page that connects and the benchmark agree on. A page has one way of connecting, so that none disturbs another. */

export interface ConnectPage {
  /** Gets ready to call and to be called. Resolves with the name by which others call it. */
  attach(way: Way, servers: Servers): Promise<string>;
  /** Milliseconds from calling to the first echo of a message. */
  connect(to: string): Promise<number>;
  /** Ends what is connected, whoever called. */
  hangUp(): Promise<void>;
  /** How many envelopes were given to the relay so far. */
  envelopes(): number;
}

/** RTCPeerConnections with signaling by hand, ours, and the libraries that are named. */
export type Way = "bare" | "wice" | "simple-peer" | "peerjs";

export interface Servers {
  /** URL of the relay. */
  readonly relay: string;
  /** Port of PeerJS's server. */
  readonly peerjsPort: number;
}
