/** WebRTC for Node, as users inject it. */

import { type Agent, type PeerConnectionLike, rtc } from "@wice/core";
import type { Implementation } from "./spied.ts";

export type ImplementationName = "node-datachannel" | "werift";

const modules: Readonly<Record<ImplementationName, string>> = {
  "node-datachannel": "node-datachannel/polyfill",
  werift: "werift",
};

/** Imported by name, because their types want a DOM around them. */
export async function load(name: ImplementationName): Promise<Implementation> {
  const { RTCPeerConnection } = (await import(modules[name])) as { readonly RTCPeerConnection: Implementation };
  return RTCPeerConnection;
}

export async function agentOf(name: ImplementationName): Promise<Agent<PeerConnectionLike>> {
  return rtc({ RTCPeerConnection: await load(name) });
}
