/** The functions of a process with sessions, on whatever the platform has. */

import {
  type Backend,
  createPeer,
  type Peer,
  type PeerConnectionConfiguration,
  type PeerConnectionLike,
  type PrivateKey,
  PublicKey,
  rtc,
  type Session,
} from "@wice/core";
import { createLog, type Log } from "../browser/page/log.ts";
import type { Change, Counts, OpenOptions, SessionFunctions } from "./session-functions.ts";

export interface SessionPlatform {
  openBackend(options: OpenOptions): Promise<{ readonly privateKey: PrivateKey; readonly backend: Backend }>;
  findWebRtc(name: OpenOptions["webrtc"]): Promise<PeerConnectionConstructor>;
  counts(): Pick<Counts, "envelopes" | "timers" | "listeners">;
}

export type PeerConnectionConstructor = new (configuration: PeerConnectionConfiguration) => PeerConnectionLike;

interface Known {
  readonly session: Session;
  readonly heard: Log<string>;
  readonly changes: Log<Change>;
  said: number;
  saying: Promise<unknown>;
  talking: ReturnType<typeof setInterval> | undefined;
}

export function createSessionFunctions(platform: SessionPlatform): SessionFunctions {
  const sessions: Known[] = [];
  const incoming = createLog<number>();
  let taken = 0;
  let opened: { readonly peer: Peer; readonly backend: Backend } | undefined;
  const connections = { made: 0, open: 0 };
  const signals = { listeners: 0 };

  const peerOf = (): { readonly peer: Peer; readonly backend: Backend } => {
    if (opened === undefined) throw new Error("the peer is not open");
    return opened;
  };
  const find = (number: number): Known => {
    const known = sessions[number];
    if (known === undefined) throw new Error(`there is no session ${number}`);
    return known;
  };
  const add = (session: Session): number => {
    const before = sessions.findIndex((each) => each.session === session);
    if (before >= 0) return before;
    const known: Known = {
      ...{ session, heard: createLog<string>(), changes: createLog<Change>() },
      ...{ said: 0, saying: Promise.resolve(), talking: undefined },
    };
    keep(known);
    return sessions.push(known) - 1;
  };

  return {
    async open(options) {
      const { privateKey, backend } = await platform.openBackend(options);
      const Implementation = countConnections(await platform.findWebRtc(options.webrtc), connections);
      const { reconnectMs, reconnectIncomingMs } = options;
      const peer = createPeer({
        ...{ privateKey, backend, agents: [rtc({ RTCPeerConnection: Implementation })], accept: () => true },
        ...{ reconnectMs, reconnectIncomingMs },
      });
      opened = { peer, backend };
      void (async () => {
        for await (const session of peer.incoming) incoming.add(add(session));
      })();
      for await (const { type } of peer.status()) if (type === "listening") break;
      return privateKey.publicKey.toString();
    },
    async connect(to) {
      return add(await peerOf().peer.connect(PublicKey.parse(to)));
    },
    async connectBriefly(to, abortAfterMs) {
      const { signal, abort } = countedSignal(signals);
      const timer = setTimeout(abort, abortAfterMs);
      try {
        const session = await peerOf().peer.connect(PublicKey.parse(to), { signal });
        await session.close();
        return "connected";
      } catch (error) {
        if (error === signal.reason) return "aborted";
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
    async nextIncoming() {
      const index = taken++;
      return await incoming.until(() => incoming.all.length > index).then(() => incoming.all[index] as number);
    },
    send: (number, text) => find(number).session.send(new TextEncoder().encode(text)),
    async untilHeard(number, text) {
      await find(number).heard.until((each) => each === text);
    },
    heard: (number) => find(number).heard.all,
    talk(number, tag, everyMs) {
      const known = find(number);
      known.talking = setInterval(() => {
        known.said += 1;
        const sent = known.session.send(new TextEncoder().encode(`${tag} ${known.said}`));
        known.saying = Promise.all([known.saying, sent]);
        known.saying.catch(() => {});
      }, everyMs);
    },
    async hush(number) {
      const known = find(number);
      clearInterval(known.talking);
      await known.saying;
      return known.said;
    },
    report(number) {
      const { session, changes } = find(number);
      return {
        ...{ state: session.state, role: session.role, instance: session.instance, changes: changes.all },
        timeline: session.timeline().map(({ atMs, event, text }) => `${Math.round(atMs)} ${event}: ${text}`),
      };
    },
    async untilChange(number, type, after = 0) {
      const { changes } = find(number);
      const isLate = (): boolean => changes.all.slice(after).some((each) => each.type === type);
      await changes.until(isLate);
      return changes.all.slice(after).find((each) => each.type === type) as Change;
    },
    close: (number) => find(number).session.close(),
    async untilClosed(number) {
      const { session, changes } = find(number);
      const [end, { at }] = await Promise.all([session.closed, changes.until(({ type }) => type === "closed")]);
      return { ...end, at };
    },
    explain: (to) => peerOf().peer.explain(PublicKey.parse(to)).code,
    closePeer: () => peerOf().peer.close(),
    closeBackend: () => peerOf().backend.close(),
    counts() {
      const counts = platform.counts();
      return {
        ...counts,
        ...{ connectionsMade: connections.made, connectionsOpen: connections.open },
        listeners: counts.listeners + signals.listeners,
      };
    },
  };
}

/** Notes what comes and what changes. */
function keep({ session, heard, changes }: Known): void {
  void (async () => {
    for await (const { type } of session.status()) changes.add({ type, at: Date.now() });
  })();
  const listen = async (): Promise<void> => {
    for await (const bytes of session) heard.add(new TextDecoder().decode(bytes));
  };
  // Why it ended is a matter of `closed`.
  listen().catch(() => {});
}

/** The implementation, and how many of its connections there are. */
function countConnections(
  Implementation: PeerConnectionConstructor,
  counts: { made: number; open: number },
): PeerConnectionConstructor {
  return class extends Implementation {
    #isOpen = true;

    constructor(configuration: PeerConnectionConfiguration) {
      super(configuration);
      counts.made += 1;
      counts.open += 1;
    }

    override close(): unknown {
      if (this.#isOpen) counts.open -= 1;
      this.#isOpen = false;
      return super.close();
    }
  };
}

/** A signal that knows how many listen to it. */
function countedSignal(counts: { listeners: number }): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  const { signal } = controller;
  countListeners(signal, (change) => {
    counts.listeners += change;
  });
  return { signal, abort: () => controller.abort(new Error("the test has had enough")) };
}

/** The part of an `EventTarget` that listeners come and go by. */
export interface ListenedTo {
  addEventListener(type: string, listener: unknown, options?: unknown): void;
  removeEventListener(type: string, listener: unknown, options?: unknown): void;
}

/** Calls back with 1 for each listener that is added to the object from now on, and with -1 for each that goes. */
export function countListeners(target: ListenedTo, onChange: (change: 1 | -1) => void): void {
  const add = target.addEventListener.bind(target);
  const remove = target.removeEventListener.bind(target);
  const known = new Map<string, Set<unknown>>();
  const forget = (type: string, listener: unknown): void => {
    if (known.get(type)?.delete(listener) === true) onChange(-1);
  };
  target.addEventListener = (type, listener, options) => {
    const listeners = known.get(type) ?? new Set();
    known.set(type, listeners);
    if (!listeners.has(listener)) onChange(1);
    listeners.add(listener);
    const { once, signal } = { once: false, signal: undefined, ...(typeof options === "object" ? options : {}) } as {
      readonly once: boolean;
      readonly signal: ListenedTo | undefined;
    };
    if (once) add(type, () => forget(type, listener), { once });
    signal?.addEventListener("abort", () => forget(type, listener), { once: true });
    add(type, listener, options);
  };
  target.removeEventListener = (type, listener, options) => {
    forget(type, listener);
    remove(type, listener, options);
  };
}
