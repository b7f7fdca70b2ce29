/** A page's first line when it wants sessions: its own key, a backend, and a peer on both. */

import { type Agent, createPeer, type Peer, type PeerOptions, type RtcOptions, rtc, WiceError } from "@wice/core";
import { disposable } from "@wice/core/transport";
import { type OpenBackend, type OpenBackendOptions, openBackend } from "./open-backend.ts";
import { relayIceServers } from "./relay-ice-servers.ts";
import { watchNetwork } from "./watch-network.ts";

export interface OpenPeerOptions
  extends OpenBackendOptions,
    Pick<PeerOptions, "accept" | "reconnectMs" | "reconnectIncomingMs" | "maxPeers"> {
  /**
   * STUN and TURN servers, or who knows them. Default: those that the relay names; none without a relay (`broadcast:`).
   * Without any, peers find each other within a network, and wherever addresses are public.
   */
  readonly iceServers?: RtcOptions["iceServers"];
  /** In place of the browser's WebRTC. `iceServers` has no meaning then. */
  readonly agents?: readonly Agent<RTCPeerConnection>[] | undefined;
}

/** Where the runtime has `Symbol.asyncDispose`, `await using` closes it. */
export interface OpenPeer extends OpenBackend, AsyncDisposable {
  readonly peer: Peer<RTCPeerConnection>;
  /** Ends all sessions in order, and closes the backend. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the key of this page, a backend, and a peer that can connect and be called. Sessions look for another path when the
 * network changes and when the page wakes up.
 *
 * Rejects with what {@link openBackend} rejects with, `invalid-argument`, and `unsupported` where there is no WebRTC, as in
 * workers.
 *
 * ```ts
 * const { peer } = await openPeer({ relay: "https://relay.example.org", accept: () => true });
 * const session = await peer.connect(theirPublicKey);
 * await session.send(new TextEncoder().encode("hello"));
 * ```
 */
export async function openPeer(options: OpenPeerOptions): Promise<OpenPeer> {
  const { relay, connect, accept, reconnectMs, reconnectIncomingMs, maxPeers } = options;
  if (options.agents === undefined && globalThis.RTCPeerConnection === undefined)
    throw new WiceError("unsupported", "there is no RTCPeerConnection here: open the peer in a page, not in a worker");
  const opened = await openBackend(options);
  const { privateKey, backend } = opened;
  const named = (): RtcOptions["iceServers"] =>
    /^https?:/i.test(`${relay}`) ? relayIceServers({ relay, publicKey: privateKey.publicKey, connect }) : [];
  try {
    const peer = createPeer({
      ...{ privateKey, backend, accept, reconnectMs, reconnectIncomingMs, maxPeers, watchNetwork },
      agents: options.agents ?? [rtc<RTCPeerConnection>({ iceServers: options.iceServers ?? named() })],
    });
    return disposable({
      ...{ ...opened, peer },
      async close() {
        await peer.close();
        await backend.close();
      },
    });
  } catch (error) {
    await backend.close();
    throw error;
  }
}
