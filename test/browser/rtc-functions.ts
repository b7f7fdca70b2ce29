/** What tests ask of the page that has WebRTC all to itself: an agent with itself, and two peers with a session between them. */

export type Side = "controlling" | "controlled";
export type Colour = "red" | "lime" | "blue" | "yellow";

export interface RtcFunctions {
  /** Runs one case of the compliance suite for agents. */
  runAgentCase(name: string): Promise<void>;

  /** Two peers without any server, and the session between them. */
  meet(): Promise<void>;
  /** Both say something over the session, and hear what the other says. */
  exchange(): Promise<void>;
  /** Adds a track that is all of one colour. */
  show(side: Side, colour: Colour): void;
  /** The same for both at one moment. */
  showBoth(controlling: Colour, controlled: Colour): void;
  /** Another picture in place of the one that is shown, which needs no negotiation. */
  replace(side: Side, colour: Colour): Promise<void>;
  /** Removes the track that is shown. */
  hide(side: Side): void;
  hideBoth(): void;
  /** Resolves when one of the tracks that the other side shows has that colour here. */
  untilSeen(side: Side, colour: Colour): Promise<void>;
  /** Resolves when nothing of what the other side has shown can be seen here any more. */
  untilUnseen(side: Side): Promise<void>;
  /** Looks for another path; resolves when both sides have new credentials of ICE and a path. */
  restart(side: Side): Promise<void>;
  facts(side: Side): RtcFacts;
  /** Ends the session; resolves with how many RTCPeerConnections are open then. */
  part(): Promise<number>;
}

export interface RtcFacts {
  /** What the session said of itself. */
  readonly statuses: readonly string[];
  /** Tracks that came, in all. */
  readonly tracks: number;
  /** How many offers and answers of its own it has put into force since the session began. */
  readonly offers: number;
  readonly answers: number;
  /** Whether the channel for data is the one of the beginning. */
  readonly sameConnection: boolean;
}
