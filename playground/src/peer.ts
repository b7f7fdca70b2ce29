/** A peer that lives in this page: a key of its own, and a backend of its own, as if it were a program of its own. */

import { type Backend, createBackend, isWiceError, type PrivateKey, PublicKey, type PublishReceipt } from "@wice/core";
import { createConnectTransport } from "@wice/web";
import { observeTransport, type TransportObserver } from "./observed-transport.ts";
import type { PeerView } from "./view/peer-view.ts";
import type { RelayView } from "./view/relay-view.ts";

export interface Peer {
  readonly name: string;
  readonly privateKey: PrivateKey;
  readonly backend: Backend;
}

export function createPeer(name: string, privateKey: PrivateKey, relay: URL, observer: TransportObserver): Peer {
  const transport = observeTransport(createConnectTransport({ url: relay }), observer);
  return { name, privateKey, backend: createBackend(transport) };
}

/** Resolves when the other has it. */
export function sendText(from: Peer, to: Peer, text: string): Promise<PublishReceipt> {
  const pair = { ours: from.privateKey, theirs: to.privateKey.publicKey };
  return from.backend.publish(pair, { payload: new TextEncoder().encode(text) }, { until: "delivered" });
}

/** Shows what the peer gets, of anybody, until its backend is closed or the relay refuses it. */
export async function showMessages({ backend, privateKey }: Peer, view: PeerView): Promise<void> {
  try {
    for await (const message of await backend.subscribe({ ours: privateKey, theirs: PublicKey.any })) {
      view.showReceived(message);
    }
  } catch (error) {
    // The status has told of it as well, and is shown.
    if (!isWiceError(error)) throw error;
  }
}

/** Shows how the peer's subscription is. */
export async function showSubscription({ name, backend }: Peer, view: PeerView, relay: RelayView): Promise<void> {
  for await (const status of backend.status()) {
    if (status.type === "retrying") continue;
    view.showState(status.type);
    relay.update(name, status.type, status.type === "subscribed" ? undefined : status.error);
  }
}
