/** The page: two peers, the relay between them, and everything that passes, shown as it happens. */

import { electRole, isWiceError, type PublicKey } from "@wice/core";
import { openKeyStore } from "@wice/web";
import { createEnvelopeLog } from "./envelope-log.ts";
import { createPeer, type Peer, sendText, showMessages, showSubscription } from "./peer.ts";
import { takePlace } from "./place.ts";
import { chooseRelay } from "./relay-url.ts";
import { createEnvelopesView } from "./view/envelopes-view.ts";
import { showNotice } from "./view/notice-view.ts";
import { createPeerView } from "./view/peer-view.ts";
import { createRelayView } from "./view/relay-view.ts";
import { showRoles } from "./view/roles-view.ts";

const names = ["alice", "bob"] as const;

async function main(): Promise<void> {
  const relay = chooseRelay(new URL(location.href));
  if (relay === undefined) {
    for (const part of document.querySelectorAll<HTMLElement>(".scene, .envelopes")) part.hidden = true;
    return showNotice(
      "error",
      "What stands after `?relay=` in this page’s URL is no URL of a relay: it begins with http:// or https://. Without `?relay=` the page uses the relay at its own address.",
    );
  }
  const peers = new Map<string, Peer>();
  const nameOf = (key: PublicKey): string | undefined => peers.get(key.toString())?.name;
  const named = (name: string): Peer => {
    for (const peer of peers.values()) if (peer.name === name) return peer;
    throw new Error(`${name} has no key yet`);
  };
  const relayView = createRelayView(relay, names);
  const envelopesView = createEnvelopesView(nameOf);
  const envelopes = createEnvelopeLog((key) => peers.get(key.toString())?.privateKey, envelopesView);
  const views = names.map((name, i) => {
    const other = names[1 - i] as string;
    return createPeerView({ name, other, nameOf, send: async (text) => sendText(named(name), named(other), text) });
  });

  const [store, place] = await Promise.all([openKeyStore({ name: "wice playground" }), takePlace()]);
  if (store.warning !== undefined) showWarning(store.warning);
  for (const name of names) {
    const privateKey = await store.open(place === 1 ? name : `${name} ${place}`);
    peers.set(privateKey.publicKey.toString(), createPeer(name, privateKey, relay.url, envelopes));
  }
  const [alice, bob] = [named("alice"), named("bob")];
  const [aliceKey, bobKey] = [alice.privateKey.publicKey, bob.privateKey.publicKey];
  views[0]?.showKey(aliceKey, electRole(aliceKey, bobKey));
  views[1]?.showKey(bobKey, electRole(bobKey, aliceKey));
  showRoles([
    { name: "alice", key: aliceKey },
    { name: "bob", key: bobKey },
  ]);
  await Promise.all(
    [alice, bob].flatMap((peer, i) => {
      const view = views[i];
      return view === undefined ? [] : [showSubscription(peer, view, relayView), showMessages(peer, view)];
    }),
  );
}

function showWarning(warning: string): void {
  const sentence = `${warning.slice(0, 1).toUpperCase()}${warning.slice(1)}.`;
  const remedy = " To serve this page over https: `npm start -- --https`";
  showNotice("warning", isSecureContext ? sentence : sentence + remedy);
}

main().catch((error: unknown) => {
  console.error(error);
  showNotice(
    "error",
    isWiceError(error)
      ? `This page cannot go on: ${error.message}. Load it again.`
      : "This page cannot go on, by a defect of its own. Load it again; when that does not help, please report it.",
  );
});
