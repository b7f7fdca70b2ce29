/** A peer over a backend: subscribes, and hands every message to the state machine of its sender. */

import type { Agent, NativeOf } from "../agent/agent.ts";
import { systemClock } from "../async/clock.ts";
import { disposable } from "../async/disposable.ts";
import { createQueue, type Queue } from "../async/queue.ts";
import { onAbort } from "../async/signal.ts";
import type { ReceivedMessage } from "../backend/backend.ts";
import { randomBytes } from "../bytes.ts";
import { WiceError } from "../errors.ts";
import { createLruMap } from "../lru-map.ts";
import { PublicKey } from "../public-key.ts";
import { readDescription } from "./description.ts";
import { drivePeering, type PeeringDriver } from "./drive-peering.ts";
import { createHearing } from "./hearing.ts";
import type { Peer, PeerOptions, PeerStatus } from "./peer.ts";
import type { Welcome } from "./peering-state.ts";
import type { Session } from "./session.ts";
import { idle } from "./verdict.ts";

const incomingLimit = 64;
const statusLimit = 256;
/** Peers that nothing goes on with, of whom we still know what was: for `explain`, and for those who did not hear the end. */
const maxResting = 256;

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
  const resting = createLruMap<string, PeeringDriver>(() => maxResting);
  const observers = new Set<Queue<PeerStatus>>();
  const turnAway = (session: Session): void => void session.close({ reason: "busy", drainMs: 0 });
  const incoming: Queue<Session> = createQueue(incomingLimit, () => {}, turnAway);
  let closed: Promise<void> | undefined;

  const tell = (status: PeerStatus): void => {
    for (const observer of observers) observer.pushDroppingOldest(status);
  };

  const hearing = createHearing({
    ...{ privateKey, backend, tell },
    onMessage: (received) => receive(received),
    onChange() {
      for (const driver of drivers.values()) driver.onDeaf();
    },
    onRetrying(error) {
      for (const driver of drivers.values()) driver.onRetrying(error);
    },
    onOver(from, error) {
      if (from.equals(PublicKey.any)) incoming.fail(error);
    },
  });
  /** Whoever may call is heard in any case. */
  const hear = (key: PublicKey): Promise<void> => hearing.hear(accept === undefined ? key : PublicKey.any);

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
      ...{ pair: { ours: privateKey, theirs: key }, backend, agents, dialect, clock, random },
      ...{ reconnectMs, reconnectIncomingMs },
      listening: () => hear(key),
      onIncoming(session) {
        if (!incoming.push(session)) turnAway(session);
      },
      deaf: () => hearing.deaf,
      onEntry: (entry) => tell({ type: "peer", key, ...entry }),
      onIdle() {
        if (drivers.get(text) !== made) return;
        drivers.delete(text);
        resting.set(text, made);
        if (accept === undefined) hearing.leave(key);
      },
    });
    return made;
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
      hear(key).catch((error: unknown) => scope.abort(error));
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
        // Of those that rest, the last words may be under way.
        const all = [...drivers.values(), ...resting.values()];
        await Promise.all(all.map((driver) => driver.close("the peer was closed")));
        await hearing.close();
        for (const observer of [...observers]) observer.end();
      })();
      return closed;
    },
  };
  return disposable<typeof peer>(peer) as Peer<NativeOf<SomeAgent>>;
}
