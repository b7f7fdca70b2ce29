/** A peer over a backend: subscribes, and hands every message to the state machine of its sender. */

import type { Agent, NativeOf } from "../agent/agent.ts";
import { systemClock } from "../async/clock.ts";
import { disposable } from "../async/disposable.ts";
import { createQueue, type Queue } from "../async/queue.ts";
import { onAbort } from "../async/signal.ts";
import type { ReceivedMessage, Subscription } from "../backend/backend.ts";
import { randomBytes } from "../bytes.ts";
import { asWiceError, WiceError } from "../errors.ts";
import { createLruMap } from "../lru-map.ts";
import { PublicKey } from "../public-key.ts";
import { readDescription } from "./description.ts";
import { drivePeering, type PeeringDriver } from "./drive-peering.ts";
import type { Peer, PeerOptions, PeerStatus } from "./peer.ts";
import type { Welcome } from "./peering-state.ts";
import type { Session } from "./session.ts";
import { idle } from "./verdict.ts";

const incomingLimit = 64;
const statusLimit = 256;
/** Peers that nothing goes on with, of whom we still know what was: for `explain`, and for those who did not hear the end. */
const maxResting = 256;

/** The subscription of one sender's messages, or of anybody's. */
interface Ear {
  readonly live: Promise<Subscription>;
  readonly stop: AbortController;
}

/**
 * A peer that can connect, and be called by those that `accept` lets in.
 *
 * Throws `invalid-argument` without agents or with an option out of range.
 *
 * ```ts
 * const peer = createPeer({ privateKey, backend, agents: [rtc()], accept: (key) => friends.has(key.toString()) });
 * const session = await peer.connect(theirPublicKey, { signal: AbortSignal.timeout(30_000) });
 * await session.send(new TextEncoder().encode("hello"));
 * for await (const bytes of session) console.log(new TextDecoder().decode(bytes));
 * ```
 */
export function createPeer<SomeAgent extends Agent>(options: PeerOptions<SomeAgent>): Peer<NativeOf<SomeAgent>> {
  const { privateKey, backend, agents, accept, clock = systemClock, random = randomBytes } = options;
  const { maxPeers = 1_024, reconnectMs = Number.POSITIVE_INFINITY, reconnectIncomingMs = 60_000 } = options;
  if (agents.length === 0) throw new WiceError("invalid-argument", "agents: there is none; give for example [rtc()]");
  for (const [name, value] of Object.entries({ maxPeers, reconnectMs, reconnectIncomingMs }))
    if (!(value >= 0)) throw new WiceError("invalid-argument", `${name} is a number from 0`);
  const dialect = agents.find((agent) => agent.dialect !== undefined)?.dialect;
  const drivers = new Map<string, PeeringDriver>();
  const ears = new Map<string, Ear>();
  const resting = createLruMap<string, PeeringDriver>(() => maxResting);
  const observers = new Set<Queue<PeerStatus>>();
  const turnAway = (session: Session): void => void session.close({ reason: "busy", drainMs: 0 });
  const incoming: Queue<Session> = createQueue(incomingLimit, () => {}, turnAway);
  const anybody = PublicKey.any.toString();
  let closed: Promise<void> | undefined;
  /** Why our key cannot be called now. */
  let deaf: WiceError | undefined;
  /** It was said, and nothing else since. */
  let isListening = false;

  const tell = (status: PeerStatus): void => {
    for (const observer of observers) observer.pushDroppingOldest(status);
  };

  const tellDeaf = (error: WiceError): void => {
    isListening = false;
    tell({ type: "deaf", error });
  };
  /** Both the backend and the first subscription say so. */
  const tellListening = (): void => {
    if (!isListening) tell({ type: "listening" });
    isListening = true;
  };
  const setDeaf = (error: WiceError | undefined): void => {
    const isNews = deaf?.message !== error?.message;
    deaf = error;
    if (isNews) for (const driver of drivers.values()) driver.onDeaf();
  };

  const driverOf = (key: PublicKey): PeeringDriver => {
    const text = key.toString();
    const found = drivers.get(text) ?? resting.get(text);
    resting.delete(text);
    const made = found ?? drive(key, text);
    drivers.set(text, made);
    return made;
  };
  const drive = (key: PublicKey, text: string): PeeringDriver => {
    const made = drivePeering({
      ...{ pair: { ours: privateKey, theirs: key }, backend, agents, clock, random, reconnectMs, reconnectIncomingMs },
      listening: () => hear(accept === undefined ? key : PublicKey.any).then(() => {}),
      onIncoming(session) {
        if (!incoming.push(session)) turnAway(session);
      },
      deaf: () => deaf,
      onEntry: (entry) => tell({ type: "peer", key, ...entry }),
      onIdle() {
        if (drivers.get(text) !== made) return;
        drivers.delete(text);
        resting.set(text, made);
        if (accept === undefined) deafen(text);
      },
    });
    return made;
  };

  /** Subscribes to a sender's messages, unless that is done. */
  const hear = (from: PublicKey): Promise<Subscription> => {
    const text = from.toString();
    const found = ears.get(text);
    if (found !== undefined) return found.live;
    // Nobody has listened until now: what was before says nothing.
    if (ears.size === 0) deaf = undefined;
    const stop = new AbortController();
    const live = backend.subscribe({ ours: privateKey, theirs: from }, { signal: stop.signal });
    const ear: Ear = { live, stop };
    ears.set(text, ear);
    const over = (error: unknown): void => {
      if (ears.get(text) !== ear) return;
      ears.delete(text);
      if (stop.signal.aborted) return;
      const failure = asWiceError(error, "the backend");
      tellDeaf(failure);
      setDeaf(failure);
      if (text === anybody) incoming.fail(failure);
    };
    live
      .then(async (subscription) => {
        tellListening();
        for await (const received of subscription) receive(received);
        over(new WiceError("closed", "the backend is closed"));
      })
      .catch(over);
    return live;
  };
  const deafen = (text: string): void => {
    ears.get(text)?.stop.abort(new WiceError("closed", "nothing is expected of this peer"));
    ears.delete(text);
    if (ears.size === 0) isListening = false;
  };

  const receive = ({ sender, message, instance }: ReceivedMessage): void => {
    const description =
      message.session === undefined || instance === undefined ? undefined : readDescription(message.session);
    // Daemons send no headers.
    const said = instance === undefined ? dialect?.read(message) : undefined;
    if (description === undefined && said === undefined) return;
    const text = sender.toString();
    const welcome = welcomeOf(sender);
    if (!drivers.has(text)) {
      if (drivers.size >= maxPeers || (welcome === "no" && resting.get(text) === undefined)) return;
    }
    const driver = driverOf(sender);
    if (description !== undefined && instance !== undefined) driver.receive(instance, description, welcome);
    else if (said !== undefined) driver.receiveFromDaemon(said, welcome);
  };
  const welcomeOf = (key: PublicKey): Welcome => {
    if (closed !== undefined) return "no";
    try {
      const answer = accept?.(key) ?? false;
      return answer === "tell" ? "tell" : answer === true ? "yes" : "no";
    } catch {
      // The application's mistake must not end what goes on with others.
      return "no";
    }
  };

  /** What the backend says of our key is of interest to who wonders why nothing comes. */
  const backendStatus = backend.status()[Symbol.asyncIterator]();
  const watchBackend = async (): Promise<void> => {
    for await (const status of { [Symbol.asyncIterator]: () => backendStatus }) {
      if ("key" in status && !status.key.equals(privateKey.publicKey)) continue;
      if (status.type === "retrying") for (const driver of drivers.values()) driver.onRetrying(status.error);
      else setDeaf(status.type === "subscribed" ? undefined : status.error);
      if (status.type === "lost") tellDeaf(status.error);
      if (status.type === "subscribed") tellListening();
    }
  };

  void watchBackend();
  if (accept !== undefined) hear(PublicKey.any).catch(() => {});
  const stopWatching = options.watchNetwork?.(() => {
    for (const driver of [...drivers.values()]) driver.networkChanged();
  });

  const peer: Omit<Peer, typeof Symbol.asyncDispose> = {
    publicKey: privateKey.publicKey,
    async connect(key, { signal } = {}) {
      signal?.throwIfAborted();
      if (closed !== undefined) throw new WiceError("closed", "the peer is closed");
      if (key.equals(privateKey.publicKey)) throw new WiceError("equal-keys", "a peer cannot connect to itself");
      if (key.equals(PublicKey.any)) throw new WiceError("invalid-argument", "PublicKey.any is nobody to connect to");
      const scope = new AbortController();
      const forget = onAbort(signal, () => scope.abort(signal?.reason));
      // A backend that refuses will never let us hear an answer.
      hear(accept === undefined ? key : PublicKey.any).catch((error: unknown) => scope.abort(error));
      try {
        return await driverOf(key).connect(scope.signal);
      } finally {
        forget();
      }
    },
    incoming,
    sessions: (key) =>
      [...drivers]
        .filter(([text]) => key === undefined || text === key.toString())
        .flatMap(([, driver]) => driver.sessions()),
    explain(key) {
      const text = key.toString();
      return (drivers.get(text) ?? resting.get(text))?.explain() ?? idle;
    },
    status() {
      const observer: Queue<PeerStatus> = createQueue(statusLimit, () => observers.delete(observer));
      if (closed === undefined) observers.add(observer);
      else observer.end();
      return observer;
    },
    close() {
      closed ??= (async () => {
        stopWatching?.();
        incoming.end();
        await backendStatus.return?.();
        // Of those that rest, the last words may be under way.
        const all = [...drivers.values(), ...resting.values()];
        await Promise.all(all.map((driver) => driver.close("the peer was closed")));
        for (const text of [...ears.keys()]) deafen(text);
        for (const observer of [...observers]) observer.end();
      })();
      return closed;
    },
  };
  return disposable<typeof peer>(peer) as Peer<NativeOf<SomeAgent>>;
}
