/** Peers in the page, by name: backends, what they received, and what became of them. */

import {
  type Backend,
  type BackendStatus,
  createBackend,
  type EnvelopeTransport,
  generatePrivateKey,
  type PrivateKey,
  PublicKey,
  parsePrivateKey,
} from "@wice/core";
import { createBroadcastTransport, createConnectTransport, openBackend } from "@wice/web";
import type { Received, StatusText, TransportOptions, WebPage } from "../web-page.ts";
import { createLog, type Log } from "./log.ts";

interface Peer {
  readonly key: PrivateKey;
  readonly backend: Backend;
  readonly messages: Log<Received & { readonly text: string }>;
  readonly statuses: Log<StatusText>;
}

type PeerFunctions = Pick<
  WebPage,
  | "openPeer"
  | "openPreset"
  | "subscribe"
  | "publish"
  | "publishAll"
  | "untilReceived"
  | "received"
  | "untilStatus"
  | "statuses"
  | "closePeer"
>;

export function createPeers(): PeerFunctions {
  const peers = new Map<string, Peer>();
  const publish: WebPage["publish"] = async (name, to, text, options) => {
    const { key, backend } = find(name);
    const pair = { ours: key, theirs: PublicKey.parse(to) };
    return await backend.publish(pair, { payload: new TextEncoder().encode(text) }, options);
  };
  const add = (name: string, key: PrivateKey, backend: Backend): void => {
    const peer: Peer = { key, backend, messages: createLog(), statuses: createLog() };
    peers.set(name, peer);
    void keepStatuses(peer);
  };
  const find = (name: string): Peer => {
    const peer = peers.get(name);
    if (peer === undefined) throw new Error(`no peer is named ${name}`);
    return peer;
  };
  return {
    async openPeer(name, { privateKey, ...options }) {
      const key = privateKey === undefined ? generatePrivateKey() : parsePrivateKey(privateKey);
      const backend = createBackend(openTransport(options));
      add(name, key, backend);
      return { publicKey: key.publicKey.toString(), instance: backend.instance };
    },
    async openPreset(name, options) {
      const { privateKey, backend, warning } = await openBackend(options);
      add(name, privateKey, backend);
      return { publicKey: privateKey.publicKey.toString(), warning };
    },
    async subscribe(name) {
      const { key, backend, messages } = find(name);
      const subscription = await backend.subscribe({ ours: key, theirs: PublicKey.any });
      void (async () => {
        for await (const { sender, instance, message } of subscription) {
          messages.add({ sender: sender.toString(), instance, text: new TextDecoder().decode(message.payload) });
        }
      })();
    },
    publish,
    async publishAll(name, to, texts) {
      await Promise.all(texts.map((text) => publish(name, to, text, { until: "delivered" })));
    },
    untilReceived: (name, text) => find(name).messages.until((message) => message.text === text),
    received: (name) => find(name).messages.all.map(({ text }) => text),
    untilStatus: (name, type) => find(name).statuses.until((status) => status.type === type),
    statuses: (name) => find(name).statuses.all,
    async closePeer(name) {
      await find(name).backend.close();
      peers.delete(name);
    },
  };
}

/** What carries the peer's envelopes, by the scheme of its URL. */
export function openTransport({ relay, ...options }: TransportOptions): EnvelopeTransport {
  const channel = /^broadcast:(.*)$/.exec(relay)?.[1];
  return channel === undefined
    ? createConnectTransport({ url: relay, ...options })
    : createBroadcastTransport({ channel });
}

async function keepStatuses({ backend, statuses }: Peer): Promise<void> {
  for await (const status of backend.status()) statuses.add(describe(status));
}

function describe(status: BackendStatus): StatusText {
  if (status.type === "subscribed") return { type: status.type };
  const { type, error } = status;
  const retryInMs = "retryInMs" in status ? status.retryInMs : undefined;
  return { type, code: error.code, message: error.message, retryInMs };
}
