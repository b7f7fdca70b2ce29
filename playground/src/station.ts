/** A peer that lives in this page: a key, a backend and sessions of its own, as if it were a program of its own. */

import { type Backend, createBackend, createPeer, type Peer, type PrivateKey, type PublicKey, rtc } from "@wice/core";
import { relayIceServers, watchNetwork, webTransports } from "@wice/web";
import type { RelayChoice } from "./relay-choice.ts";
import { type TransportObserver, type Weather, weatherTransport } from "./weather.ts";

export interface StationOptions {
  readonly privateKey: PrivateKey;
  readonly relay: RelayChoice;
  readonly weather: Readonly<Weather>;
  readonly observer: TransportObserver;
  accept(key: PublicKey): boolean;
}

export interface Station {
  readonly backend: Backend;
  readonly peer: Peer<RTCPeerConnection>;
  /** The connection to the relay is lost. */
  cut(): void;
  /** Gone without a word, as a program is that crashes. */
  crash(): void;
}

export function openStation({ privateKey, relay, weather, observer, accept }: StationOptions): Station {
  let crashed = false;
  // Who has crashed sends nothing: not even that it is gone.
  const itsWeather = (): Readonly<Weather> => (crashed ? { ...weather, cut: true } : weather);
  const transport = weatherTransport(webTransports().open(relay.url), itsWeather, observer);
  const backend = createBackend(transport);
  const iceServers = relay.serverless ? [] : relayIceServers({ relay: relay.url, publicKey: privateKey.publicKey });
  const agents = [rtc<RTCPeerConnection>({ iceServers })];
  const peer = createPeer({ privateKey, backend, agents, accept, watchNetwork });
  return {
    backend,
    peer,
    cut: () => transport.cut(),
    crash() {
      crashed = true;
      for (const session of peer.sessions()) session.connection.close();
      transport.cut();
      void peer.close().then(() => backend.close());
    },
  };
}
