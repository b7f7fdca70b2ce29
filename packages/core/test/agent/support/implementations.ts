/** WebRTC for Node, as users inject it. */

import type { PeerConnectionConfiguration, PeerConnectionLike } from "@wice/core";

export type Implementation = new (configuration: PeerConnectionConfiguration) => PeerConnectionLike;

/** By module; imported by name, because their types want a DOM around them. */
export const implementations = [
  { name: "node-datachannel", module: "node-datachannel/polyfill" },
  { name: "werift", module: "werift" },
] as const;

export async function load(module: string): Promise<Implementation> {
  const { RTCPeerConnection } = (await import(module)) as { readonly RTCPeerConnection: Implementation };
  return RTCPeerConnection;
}
