/** An agent's first line when it wants sessions: its own key, a backend over a relay, and a peer on both. */

import {
  type Agent,
  type Backend,
  createPeer,
  type Peer,
  type PeerConnectionLike,
  type PeerOptions,
  type PrivateKey,
} from "@wice/core";
import { type OpenBackendOptions, openBackend } from "./open-backend.ts";
import { relayIceServers } from "./relay-ice-servers.ts";
import { nodeRtc } from "./rtc-agent.ts";

export interface OpenPeerOptions extends OpenBackendOptions, Pick<PeerOptions, "accept"> {
  /** Default: WebRTC by `node-datachannel`, with the STUN and TURN servers that the relay names. */
  readonly agents?: readonly Agent<PeerConnectionLike>[] | undefined;
}

export interface OpenPeer {
  readonly privateKey: PrivateKey;
  readonly backend: Backend;
  readonly peer: Peer<PeerConnectionLike>;
  /** Ends all sessions in order, and closes the backend. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens our key, a backend, and a peer that can connect and be called.
 *
 * Rejects with what {@link openBackend} and {@link nodeRtc} reject with.
 *
 * ```ts
 * const { peer } = await openPeer({ relay: "http://127.0.0.1:8080", keyFile: "wice.key", accept: () => true });
 * for await (const session of peer.incoming) await session.send(new TextEncoder().encode("hello"));
 * ```
 */
export async function openPeer(options: OpenPeerOptions): Promise<OpenPeer> {
  const { privateKey, backend } = await openBackend(options);
  try {
    const agents = options.agents ?? [
      await nodeRtc({
        iceServers: relayIceServers({ relay: options.relay, publicKey: privateKey.publicKey, ca: options.grpc?.ca }),
      }),
    ];
    const peer = createPeer({ privateKey, backend, agents, accept: options.accept });
    return {
      ...{ privateKey, backend, peer },
      async close() {
        await peer.close();
        await backend.close();
      },
    };
  } catch (error) {
    await backend.close();
    throw error;
  }
}
