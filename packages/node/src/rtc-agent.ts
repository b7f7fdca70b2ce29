/** WebRTC for Node: core's agent with an implementation from npm in it. */

import {
  type Agent,
  type IceServer,
  type PeerConnectionConfiguration,
  type PeerConnectionLike,
  type RtcOptions,
  rtc,
  WiceError,
} from "@wice/core";

type Implementation = new (configuration: PeerConnectionConfiguration) => PeerConnectionLike;

/** Imported by name: it is an optional dependency, and its types want a browser around them. */
const module: string = "node-datachannel/polyfill";

/**
 * An agent over `node-datachannel` (libdatachannel), which has to be installed beside `@wice/node`. It has data channels and
 * no media, and cannot restart ICE: a session replaces its connection instead, and goes on.
 *
 * Rejects with `unsupported` where it is not installed, or not made for this machine.
 *
 * ```ts
 * const peer = createPeer({ privateKey, backend, agents: [await nodeRtc()] });
 * ```
 */
export async function nodeRtc(options: Omit<RtcOptions, "RTCPeerConnection"> = {}): Promise<Agent<PeerConnectionLike>> {
  let implementation: Implementation;
  try {
    implementation = ((await import(module)) as { readonly RTCPeerConnection: Implementation }).RTCPeerConnection;
  } catch (cause) {
    throw new WiceError("unsupported", "there is no WebRTC here; run: npm install node-datachannel", { cause });
  }
  return rtc({ ...options, RTCPeerConnection: escaping(implementation) });
}

/**
 * node-datachannel puts name and password into the URL of the server, and takes them out again, decoded: a name that has a
 * colon, as those of a relay have (when it ends, and whose it is), would end there.
 */
function escaping(Implementation: Implementation): Implementation {
  return class extends Implementation {
    constructor(configuration: PeerConnectionConfiguration) {
      super({ ...configuration, iceServers: configuration.iceServers.map(percentEncoded) });
    }
  };
}

function percentEncoded({ urls, username, credential }: IceServer): IceServer {
  return {
    urls,
    ...(username !== undefined && { username: encodeURIComponent(username) }),
    ...(credential !== undefined && { credential: encodeURIComponent(credential) }),
  };
}
