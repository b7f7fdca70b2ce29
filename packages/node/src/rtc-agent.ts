/** WebRTC for Node: core's agent with an implementation from npm in it. */

import {
  type Agent,
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
  return rtc({ ...options, RTCPeerConnection: implementation });
}
