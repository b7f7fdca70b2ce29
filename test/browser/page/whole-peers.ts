/** Peers of `openPeer` in the page, by name, and what is left of them. */

import { PublicKey, type Session } from "@wice/core";
import { type OpenPeer, openPeer } from "@wice/web";
import type { OpenPeerFunctions, WholeIceServer } from "../open-peer-page.ts";
import { createLog, type Log } from "./log.ts";

interface Whole {
  readonly opened: OpenPeer;
  /** By the key of the other side; over or not. */
  readonly sessions: Map<string, Session<RTCPeerConnection>>;
  readonly said: Log<{ readonly from: string; readonly text: string }>;
}

export function createWholePeers(): OpenPeerFunctions {
  const connections = watchConnections();
  const listeners = countListeners();
  const peers = new Map<string, Whole>();
  const find = (name: string): Whole => {
    const found = peers.get(name);
    if (found === undefined) throw new Error(`no peer is named ${name}`);
    return found;
  };
  const sessionOf = (name: string, other: string): Session<RTCPeerConnection> => {
    const session = find(name).sessions.get(other);
    if (session === undefined) throw new Error(`${name} has no session with that peer`);
    return session;
  };
  return {
    async openWhole(name, { accept = false, protocol, ...options }) {
      const opened = await openPeer({ ...options, connect: { protocol }, accept: () => accept });
      const whole: Whole = { opened, sessions: new Map(), said: createLog() };
      peers.set(name, whole);
      void takeIncoming(whole);
      return { publicKey: opened.privateKey.publicKey.toString(), warning: opened.warning };
    },
    closeWhole: (name) => find(name).opened.close(),
    async connect(name, to) {
      const whole = find(name);
      const session = await whole.opened.peer.connect(PublicKey.parse(to));
      keep(whole, session);
      return { remote: session.remote.toString(), protection: session.protection };
    },
    say: (name, to, text) => sessionOf(name, to).send(new TextEncoder().encode(text)),
    untilSaid: (name, wanted) => find(name).said.until(({ text }) => text === wanted),
    untilEnded: async (name, other) => sessionOf(name, other).closed,
    ufrag: (name, other) =>
      /^a=ice-ufrag:(.*)$/m.exec(sessionOf(name, other).connection.localDescription?.sdp ?? "")?.[1],
    leftovers: () => ({ connections: connections.open(), listeners: listeners() }),
    iceServers: connections.servers,
  };
}

async function takeIncoming(whole: Whole): Promise<void> {
  for await (const session of whole.opened.peer.incoming) keep(whole, session);
}

/** Reads it to its end. */
function keep({ sessions, said }: Whole, session: Session<RTCPeerConnection>): void {
  const from = session.remote.toString();
  if (sessions.get(from) === session) return;
  sessions.set(from, session);
  void (async () => {
    for await (const bytes of session) said.add({ from, text: new TextDecoder().decode(bytes) });
  })();
}

function watchConnections() {
  const Original = globalThis.RTCPeerConnection;
  const all: RTCPeerConnection[] = [];
  const servers: WholeIceServer[][] = [];
  globalThis.RTCPeerConnection = class extends Original {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      all.push(this);
      servers.push((configuration?.iceServers ?? []) as WholeIceServer[]);
    }
  };
  return {
    open: () => all.filter(({ signalingState }) => signalingState !== "closed").length,
    servers: () => servers,
  };
}

function countListeners(): () => number {
  let count = 0;
  const { connection } = navigator as { readonly connection?: EventTarget };
  for (const target of [globalThis, document, ...(connection === undefined ? [] : [connection])]) {
    const add = target.addEventListener.bind(target);
    const remove = target.removeEventListener.bind(target);
    target.addEventListener = (...call: Parameters<typeof add>) => {
      count += 1;
      add(...call);
    };
    target.removeEventListener = (...call: Parameters<typeof remove>) => {
      count -= 1;
      remove(...call);
    };
  }
  return () => count;
}
