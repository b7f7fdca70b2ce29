/** ICE, DTLS and data channels by WebRTC: the browser's, or any implementation with its API. */

import type { CallOptions } from "../call-options.ts";
import { WiceError } from "../errors.ts";
import type { Agent } from "./agent.ts";
import { connectRtc } from "./rtc-connection.ts";
import type { IceServer, PeerConnectionConfiguration, PeerConnectionLike } from "./rtc-types.ts";

export interface RtcOptions<Native extends PeerConnectionLike = PeerConnectionLike> {
  /** Default: the platform's. Node has none: inject that of `node-datachannel/polyfill`, for example. */
  readonly RTCPeerConnection?: (new (configuration: PeerConnectionConfiguration) => Native) | undefined;
  /**
   * STUN and TURN servers, or who knows them: asked again before they expire, and before ICE restarts. Default none: peers
   * then find each other within a network, and wherever addresses are public.
   */
  readonly iceServers?: readonly IceServer[] | IceServerSource | undefined;
  /** `"relay"` hides our addresses behind a TURN server. Default `"all"`. */
  readonly iceTransportPolicy?: "all" | "relay" | undefined;
}

export type IceServerSource = (options: CallOptions) => Promise<IceServers>;

export interface IceServers {
  readonly servers: readonly IceServer[];
  /** When the credentials end, as `Date.now()` counts. Default: never. */
  readonly expiresAtMs?: number | undefined;
}

/** Credentials that end within this time are not used for anything new. */
const marginMs = 60_000;

/**
 * An agent over WebRTC. Sessions of it have data channels and DTLS, and media where the implementation has them.
 *
 * Where there is no implementation, `createPeer` says so when it connects (`no-agent`).
 *
 * ```ts
 * const peer = createPeer({ privateKey, backend, agents: [rtc({ iceServers: [{ urls: "stun:stun.example.org" }] })] });
 * ```
 */
export function rtc<Native extends PeerConnectionLike = PeerConnectionLike>(
  options: RtcOptions<Native> = {},
): Agent<Native> {
  const { iceServers = [], iceTransportPolicy = "all" } = options;
  let known: IceServers | undefined = typeof iceServers === "function" ? undefined : { servers: iceServers };

  const servers = async (callOptions: CallOptions): Promise<readonly IceServer[]> => {
    const { expiresAtMs = Number.POSITIVE_INFINITY } = known ?? {};
    if (typeof iceServers === "function" && (known === undefined || expiresAtMs - marginMs < Date.now()))
      known = await iceServers(callOptions);
    return known?.servers ?? [];
  };

  return {
    name: "rtc",
    get hasTurn() {
      return (known?.servers ?? []).some(({ urls }) => [urls].flat().some((url) => /^turns?:/.test(url)));
    },
    connect(connectionOptions) {
      const Implementation =
        options.RTCPeerConnection ??
        (globalThis as { RTCPeerConnection?: new (configuration: PeerConnectionConfiguration) => Native })
          .RTCPeerConnection;
      if (Implementation === undefined) {
        throw new WiceError(
          "unsupported",
          'this platform has no RTCPeerConnection; in Node, install node-datachannel and give rtc({ RTCPeerConnection }) that of "node-datachannel/polyfill"',
        );
      }
      return connectRtc<Native>({
        ...connectionOptions,
        servers,
        open: (iceServerList) =>
          new Implementation({
            iceServers: iceServerList.map((server) => ({ ...server })),
            iceTransportPolicy,
            bundlePolicy: "max-bundle",
            rtcpMuxPolicy: "require",
          }),
      });
    },
  };
}
