/** A direct connection with one instance of a peer, for as long as the application wants it. */

import type { AgentConnection, AgentName, ChannelOptions, SelectedPair } from "../agent/agent.ts";
import type { Instance } from "../backend/backend.ts";
import type { PublicKey } from "../public-key.ts";
import type { Role } from "../role.ts";
import type { Channel } from "./channel.ts";
import type { EndCause } from "./peering-state.ts";
import type { TimelineEntry } from "./timeline.ts";
import type { Verdict } from "./verdict.ts";

/**
 * A session is a channel itself: `send`, iterate, or use `readable` and `writable`. Messages arrive in order, each once,
 * also when the path is lost and another one found; only a peer that has restarted knows nothing of what was under way.
 */
export interface Session<Native = unknown> extends Omit<Channel, "label" | "close">, AsyncDisposable {
  readonly remote: PublicKey;
  /** Changes when the peer has restarted: see {@link SessionStatus}. */
  readonly instance: Instance;
  readonly role: Role;
  readonly agent: AgentName;
  readonly state: "connected" | "reconnecting" | "closed";
  readonly protection: AgentConnection["protection"];
  /** The agent's own object, for media and stats: an `RTCPeerConnection`. A new one may take its place: see `status()`. */
  readonly connection: Native;
  /** The pair of addresses in use. */
  selectedPair(): Promise<SelectedPair | undefined>;
  /**
   * Opens a further channel, which the peer gets from {@link Session.channels}. It ends with the connection that carries
   * it, with `unavailable`. Throws `unsupported` where the agent has none, `invalid-argument`, `unavailable` while there is
   * no connection, and `closed`.
   */
  channel(label: string, options?: ChannelOptions): Channel;
  /** The channels that the peer opens. Of those that nobody takes, 64 wait; leaving the iteration closes all to come. */
  readonly channels: AsyncIterable<Channel>;
  /** What happens from now on. Of those that are not read, the latest 64 are kept. */
  status(): AsyncIterable<SessionStatus>;
  /** What has happened with this peer, in order, until the end of the session: the latest 256 entries. */
  timeline(): readonly TimelineEntry[];
  /** Why it is as it is, and what to do. After its end: how it ended. */
  explain(): Verdict;
  /** Looks for another path, as after a change of network. */
  restart(): void;
  /**
   * Takes nothing new to send, lets arrive what was sent, for at most `drainMs`, then tells the peer, and ends. Iteration
   * ends after what has come. Idempotent; called again with a shorter `drainMs`, it waits no longer than that.
   */
  close(options?: SessionCloseOptions): Promise<void>;
  /** Resolves when the session is over, whoever ended it. */
  readonly closed: Promise<SessionEnd>;
}

export interface SessionCloseOptions {
  /** What the peer is told, up to 128 characters; what is not printable ASCII becomes a space. Default `"done"`. */
  readonly reason?: string | undefined;
  /** Default 5,000. */
  readonly drainMs?: number | undefined;
}

export interface SessionEnd {
  readonly cause: EndCause;
  /** In the words of whoever closed it; printable ASCII where that was the peer. */
  readonly reason: string;
}

export type SessionStatus =
  /** The path is lost; another one is looked for. */
  | { readonly type: "reconnecting" }
  | { readonly type: "connected" }
  /**
   * The peer has restarted, or another instance has taken its place. What was under way is lost; of what the former has
   * sent, and nobody has read, the latest 4 MiB are kept.
   */
  | { readonly type: "moved"; readonly instance: Instance }
  /** `connection` is another object. */
  | { readonly type: "connection" }
  | { readonly type: "closed"; readonly end: SessionEnd };
