/** What a connection is doing, out of what implementations of WebRTC say in their several ways. */

import type { AgentChannel, ConnectionState } from "./agent.ts";
import type { PeerConnectionLike } from "./rtc-types.ts";

export interface RtcState {
  readonly state: ConnectionState;
  /** ICE has found a path once. */
  readonly found: boolean;
  /** DTLS has succeeded once: whoever is at the other end has the certificate that was named. */
  readonly proven: boolean;
  /** It has failed because DTLS did. */
  readonly forged: boolean;
}

export const initialState: RtcState = { state: "new", found: false, proven: false, forged: false };

export function nextState(
  before: RtcState,
  pc: Pick<PeerConnectionLike, "connectionState" | "iceConnectionState">,
  channels: readonly Pick<AgentChannel, "state">[],
): RtcState {
  const { iceConnectionState: ice, connectionState = ice } = pc;
  // werift says "completed" as soon as its own candidates are.
  const found = before.found || ice === "connected";
  const proven =
    before.proven || connectionState === "connected" || channels.some((channel) => channel.state === "open");
  const state = stateOf(connectionState, channels, before.state);
  if (state !== "failed" && state !== "closed") return { state, found, proven, forged: false };
  // Browsers say that they failed while ICE is connected, libdatachannel closes without having been connected. A path that
  // breaks before DTLS is through looks otherwise.
  const forged = before.forged || (found && !proven && ice !== "failed" && ice !== "disconnected");
  return { state: forged ? "failed" : state, found, proven, forged };
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
