/** ICE, DTLS and data channels by WebRTC: the browser's, or any implementation with its API. */

import { WiceError } from "../errors.ts";
import type { Agent } from "./agent.ts";
import { createIceServers, type IceServerSource } from "./ice-servers.ts";
import { configuration, createRestartAbility, type RestartAbility } from "./rtc-abilities.ts";
import { connectRtc } from "./rtc-connection.ts";
import type { IceServer, PeerConnectionConfiguration, PeerConnectionLike } from "./rtc-types.ts";

export interface RtcOptions<Native extends PeerConnectionLike = PeerConnectionLike> {
  /** Default: the platform's. Node has none: inject that of `node-datachannel/polyfill`, for example. */
  readonly RTCPeerConnection?: RtcConstructor<Native> | undefined;
  /**
   * STUN and TURN servers, or who knows them: asked again before they expire. Default none: peers then find each other
   * within a network, and wherever addresses are public.
   */
  readonly iceServers?: readonly IceServer[] | IceServerSource | undefined;
  /** `"relay"` hides our addresses behind a TURN server. Default `"all"`. */
  readonly iceTransportPolicy?: "all" | "relay" | undefined;
}

type RtcConstructor<Native> = new (configuration: PeerConnectionConfiguration) => Native;

/**
 * An agent over WebRTC. Sessions of it have data channels and DTLS, and media where the implementation has them.
 *
 * Throws `invalid-argument` for a list that holds no servers. Where there is no implementation, nothing fails before a
 * connection is wanted (`unsupported`).
 *
 * ```ts
 * const peer = createPeer({ privateKey, backend, agents: [rtc({ iceServers: [{ urls: "stun:stun.example.org" }] })] });
 * ```
 */
export function rtc<Native extends PeerConnectionLike = PeerConnectionLike>(
  options: RtcOptions<Native> = {},
): Agent<Native> {
  const { iceServers = [], iceTransportPolicy = "all" } = options;
  const servers = createIceServers(iceServers);
  let restart: RestartAbility | undefined;

  return {
    name: "rtc",
    get hasTurn() {
      return servers.hasTurn;
    },
    connect(connectionOptions) {
      const Implementation = options.RTCPeerConnection ?? findConstructor<Native>();
      restart ??= createRestartAbility(Implementation);
      return connectRtc<Native>({
        ...connectionOptions,
        servers: servers.current,
        configure: (list) => ({ ...configuration, iceTransportPolicy, iceServers: list.map(copyServer) }),
        open: (given) => new Implementation(given),
        restart,
      });
    },
  };
}

function findConstructor<Native>(): RtcConstructor<Native> {
  const { RTCPeerConnection: found } = globalThis as { RTCPeerConnection?: RtcConstructor<Native> };
  if (found !== undefined) return found;
  throw new WiceError(
    "unsupported",
    'this platform has no RTCPeerConnection; in Node, install node-datachannel and give rtc({ RTCPeerConnection }) that of "node-datachannel/polyfill"',
  );
}

/** Some implementations change what they are given. */
function copyServer({ urls, ...credentials }: IceServer): IceServer {
  return { ...credentials, urls: [urls].flat() };
}
