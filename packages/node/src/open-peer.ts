/** An agent's first line when it wants sessions: its own key, a backend over a relay, and a peer on both. */

import {
  type Agent,
  type Backend,
  createPeer,
  type NativeOf,
  type Peer,
  type PeerConnectionLike,
  type PeerOptions,
  type PrivateKey,
  type RtcOptions,
} from "@wice/core";
import { disposable } from "@wice/core/transport";
import { grpcSchemes } from "./grpc/endpoint.ts";
import { type OpenBackendOptions, openBackend } from "./open-backend.ts";
import { relayIceServers } from "./relay-ice-servers.ts";
import { nodeRtc } from "./rtc-agent.ts";

export interface OpenPeerOptions<SomeAgent extends Agent = Agent<PeerConnectionLike>>
  extends OpenBackendOptions,
    Pick<PeerOptions, "accept" | "reconnectMs" | "reconnectIncomingMs" | "maxPeers"> {
  /**
   * STUN and TURN servers, or who knows them. Default: those that the relay names. Without any, peers find each other within
   * a network, and wherever addresses are public.
   */
  readonly iceServers?: RtcOptions["iceServers"];
  /** In place of WebRTC by `node-datachannel`. `iceServers` has no meaning then. */
  readonly agents?: readonly SomeAgent[] | undefined;
}

/** Where the runtime has `Symbol.asyncDispose`, `await using` closes it. */
export interface OpenPeer<Native = PeerConnectionLike> extends AsyncDisposable {
  readonly privateKey: PrivateKey;
  readonly backend: Backend;
  readonly peer: Peer<Native>;
  /** Ends all sessions in order, and closes the backend. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens our key, a backend, and a peer that can connect and be called.
 *
 * Rejects with what {@link openBackend} and {@link nodeRtc} reject with, and with `invalid-argument`.
 *
 * ```ts
 * const { peer } = await openPeer({ relay: "http://127.0.0.1:8080", keyFile: "wice.key", accept: () => true });
 * for await (const session of peer.incoming) await session.send(new TextEncoder().encode("hello"));
 * ```
 */
export async function openPeer<SomeAgent extends Agent = Agent<PeerConnectionLike>>(
  options: OpenPeerOptions<SomeAgent>,
): Promise<OpenPeer<NativeOf<SomeAgent>>> {
  const { relay, grpc, accept, reconnectMs, reconnectIncomingMs, maxPeers } = options;
  const { privateKey, backend } = await openBackend(options);
  const registry = [relay].flat().find(hasRegistry);
  const named = (): RtcOptions["iceServers"] =>
    registry === undefined ? [] : relayIceServers({ relay: registry, publicKey: privateKey.publicKey, ca: grpc?.ca });
  try {
    const agents: readonly Agent[] = options.agents ?? [await nodeRtc({ iceServers: options.iceServers ?? named() })];
    const peer = createPeer({
      ...{ privateKey, backend, agents, accept, reconnectMs, reconnectIncomingMs, maxPeers },
    }) as Peer<NativeOf<SomeAgent>>;
    return disposable({
      ...{ privateKey, backend, peer },
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

function hasRegistry(relay: string | URL): boolean {
  const [scheme = ""] = String(relay).toLowerCase().split(":", 1);
  return grpcSchemes.some((each) => each === scheme);
}
