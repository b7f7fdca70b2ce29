/** What a connection is doing, out of what implementations of WebRTC say in their several ways. */

import type { AgentChannel, ConnectionState } from "./agent.ts";
import type { PeerConnectionLike } from "./rtc-types.ts";

export interface RtcState {
  readonly state: ConnectionState;
  /** ICE has found a path once. */
  readonly found: boolean;
  /** ICE has said that it has none. */
  readonly pathless: boolean;
  /** DTLS has succeeded once: whoever is at the other end has the certificate that was named. */
  readonly proven: boolean;
  /** It has failed because DTLS did. */
  readonly forged: boolean;
  /**
   * It is over before it said why. libdatachannel works in threads of its own: what it tells of is long past, and it is
   * asked for its state of now. What it has still to tell is worth waiting for.
   */
  readonly doubtful: boolean;
}

export const initialState: RtcState = {
  ...{ state: "new", found: false, pathless: false },
  ...{ proven: false, forged: false, doubtful: false },
};

interface Observed {
  readonly pc: Pick<PeerConnectionLike, "connectionState" | "iceConnectionState">;
  readonly channels: readonly (Pick<AgentChannel, "state"> & { readonly wasOpen: boolean })[];
  /** Since the peer's description was taken first. */
  readonly sinceDescribedMs: number;
  /** Nothing more is to be expected. */
  readonly final: boolean;
}

/** ICE does not give up sooner: RFC 8863 lets it look for 39.5 s, and libdatachannel does. */
const leastIceMs = 25_000;

export function nextState(before: RtcState, { pc, channels, sinceDescribedMs, final }: Observed): RtcState {
  const { iceConnectionState: ice, connectionState = ice } = pc;
  // werift says "completed" as soon as its own candidates are.
  const found = before.found || ice === "connected";
  const pathless = ice === "failed" || ice === "disconnected" || (before.pathless && ice !== "connected");
  const proven = before.proven || connectionState === "connected" || channels.some(({ wasOpen }) => wasOpen);
  const state = stateOf(connectionState, channels, before.state);
  const facts = { found, pathless, proven, forged: before.forged, doubtful: false };
  if (before.forged) return { ...facts, state: "failed" };
  if (proven || pathless || (state !== "failed" && state !== "closed")) return { ...facts, state };
  if (state === "closed" && !final) return { ...facts, state: before.state, doubtful: true };
  // Browsers say that they failed while ICE is connected. libdatachannel closes, and may have said nothing of ICE at all;
  // but what ends so soon was not ended by ICE.
  const forged = found || (state === "closed" && sinceDescribedMs < leastIceMs);
  return { ...facts, state: forged ? "failed" : state, forged };
}

function stateOf(
  connectionState: string,
  channels: readonly Pick<AgentChannel, "state">[],
  before: ConnectionState,
): ConnectionState {
  // Some notice the end of the channels long before the end of the path.
  if (channels.some(({ state }) => state === "closed")) return "closed";
  switch (connectionState) {
    case "closed":
    case "failed":
      return connectionState;
    case "disconnected":
      return before === "connected" ? "disconnected" : before;
    case "connected":
    case "completed":
      return channels.every(({ state }) => state === "open") ? "connected" : before;
    default:
      // ICE was restarted.
      return before === "failed" ? "new" : before;
  }
}
