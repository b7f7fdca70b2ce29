/** One connection of the datagram agent: ICE, and over its path channels, sealed or bare. */

import {
  type AgentConnection,
  type AgentDescription,
  type Candidate,
  type Clock,
  type ConnectionOptions,
  type ConnectionState,
  type SelectedPair,
  type Timer,
  WiceError,
} from "@wice/core";
import { createDatagramChannel } from "./datagram-channel.ts";
import { type EphemeralKey, generateEphemeralKey } from "./ephemeral-key.ts";
import type { CheckList } from "./ice/check-list.ts";
import { createIceAgent, type IceAgentOptions, type IceCounts } from "./ice/ice-agent.ts";
import type { Pair } from "./ice/pair.ts";
import { agreeSealingKeys, createSealing, type Opened, type Sealing, sealedOverheadBytes } from "./sealing.ts";

/** What is behind a datagram connection. */
export interface DatagramNative {
  readonly counts: DatagramCounts;
}

/** Datagrams so far. */
export interface DatagramCounts extends IceCounts {
  readonly sealed: number;
  readonly opened: number;
  /** Altered, reflected, of another session, or came before. */
  readonly refused: number;
}

export interface DatagramConnectionOptions extends ConnectionOptions {
  readonly clock: Clock;
  readonly protect: boolean;
  /** Of a whole datagram. */
  readonly datagramBytes: number;
  readonly ice: Pick<IceAgentOptions, "relayOnly" | "portRange" | "useAddress" | "ca" | "servers">;
}

/** What a sealed datagram holds. */
const kind = { main: 0, control: 1, signal: 2 } as const;
/** What the two ends say to each other: whether what the other one has sealed was opened here already; and an end. */
const signal = { hello: 0, opened: 1, bye: 2 } as const;

/** What UDP takes, less what a TURN server puts before it. */
const mostBareBytes = 65_000;
/** A daemon reads no more of a datagram: the rest of it would be lost, and nobody would know. */
const mostDaemonBytes = 8_192;
const byes = 3;
const firstHelloMs = 50;
const mostHelloMs = 1_000;
/** What cannot be opened for so long is not the peer's. */
const proofMs = 5_000;
/** Datagrams of before a restart may still be on their way. */
const overlapMs = 5_000;
/** Restarts in quick succession. */
const maxOld = 3;
const maxHeldCandidates = 64;

/** A pair of descriptions: their credentials, their path, their keys. */
interface Generation {
  readonly list: CheckList;
  readonly key: EphemeralKey | undefined;
  sealing: Sealing | undefined;
  /** Something of the peer's was opened. */
  proven: boolean;
  hello: Timer | undefined;
  selectedAtMs: number | undefined;
  /** What was refused before that. */
  refusedBefore: number;
}

export function connectDatagram(options: DatagramConnectionOptions): AgentConnection<DatagramNative> {
  const { role, events, clock, bare = false, datagramBytes } = options;
  const isSealed = options.protect && !bare;
  const messageBytes = isSealed ? datagramBytes - sealedOverheadBytes : bare ? mostDaemonBytes : mostBareBytes;
  const closing = new AbortController();
  const generations: Generation[] = [];
  let sealed = 0;
  let opened = 0;
  let refused = 0;
  /** Offered by us, and not agreed on. */
  let offered: Generation | undefined;
  /** Agreed on last. */
  let current: Generation | undefined;
  /** Whose path carries the data. */
  let carrier: Generation | undefined;
  let state: ConnectionState = "new";
  let held: Candidate[] = [];
  let overlap: Timer | undefined;
  let telling: NodeJS.Immediate | undefined;
  /** One thing after the other. */
  let last: Promise<unknown> = Promise.resolve();

  const onData = (packet: Buffer): void => {
    if (!isSealed) {
      main.take(packet);
      return;
    }
    for (let i = generations.length - 1; i >= 0; i--) {
      const generation = generations[i] as Generation;
      const inside = generation.sealing?.open(packet);
      if (inside === undefined) continue;
      opened += 1;
      take(generation, inside);
      return;
    }
    refused += 1;
  };
  const seal = (sealing: Sealing, of: number, message: Uint8Array): Buffer => {
    sealed += 1;
    return sealing.seal(of, message);
  };
  const ice = createIceAgent({
    ...options.ice,
    ...{ role, clock, onData },
    onServerError: (error) => closing.signal.aborted || events.onServerError(error),
    onLow() {
      for (const channel of [control, main]) channel.low();
    },
  });

  const path = (): Pair | undefined => (carrier?.list.path === "failed" ? undefined : carrier?.list.selected);
  const transmit = (message: Uint8Array): void => {
    const pair = path();
    pair?.base.sendPaced(message, pair.remote.address, pair.remote.port);
  };
  const channel = (label: string, id: number, of: number) =>
    createDatagramChannel({
      ...{ label, id, maxMessageBytes: messageBytes },
      bufferedBytes: () => path()?.base.waitingBytes ?? 0,
      // The caller may reuse its memory.
      send: (message) => {
        const { sealing } = carrier ?? {};
        transmit(sealing === undefined ? Buffer.from(message) : seal(sealing, of, message));
      },
    });
  const control = channel("wice", 0, kind.control);
  const main = channel("data", 1, kind.main);

  const take = (generation: Generation, { kind: of, payload }: Opened): void => {
    const isFirst = !generation.proven;
    generation.proven = true;
    if (of === kind.main) main.take(payload);
    else if (of === kind.control) control.take(payload);
    else if (payload[0] === signal.bye) endByPeer();
    else if (payload[0] === signal.hello) greet(generation, signal.opened);
    if (isFirst && !closing.signal.aborted) look();
  };
  const greet = ({ list, sealing }: Generation, what: number): void => {
    const { selected } = list;
    if (selected === undefined || sealing === undefined) return;
    const { address, port } = selected.remote;
    selected.base.send(seal(sealing, kind.signal, Uint8Array.of(what)), address, port);
  };
  /** Says hello until the peer has said something that opens. */
  const prove = (generation: Generation, delayMs: number): void => {
    if (generation.proven || !generations.includes(generation)) return;
    greet(generation, signal.hello);
    generation.hello = clock.schedule(delayMs, () => {
      look();
      prove(generation, Math.min(mostHelloMs, 2 * delayMs));
    });
  };
  const isReady = ({ list, proven }: Generation): boolean => list.selected !== undefined && (proven || !isSealed);
  const isForged = (generation: Generation): boolean =>
    !generation.proven &&
    generation.selectedAtMs !== undefined &&
    clock.now() - generation.selectedAtMs >= proofMs &&
    refused > generation.refusedBefore;

  /** Something has happened to a path. */
  const look = (): void => {
    if (closing.signal.aborted || current === undefined) return;
    if (current.list.selected !== undefined && current.selectedAtMs === undefined) {
      current.selectedAtMs = clock.now();
      current.refusedBefore = refused;
      if (isSealed) prove(current, firstHelloMs);
    }
    if (isReady(current) && carrier !== current) {
      carrier = current;
      overlap?.cancel();
      overlap = clock.schedule(overlapMs, () => {
        for (const each of [...generations]) if (each !== current && each !== offered) drop(each);
      });
      for (const each of [control, main]) if (each === main || isSealed) each.open();
    }
    const forged = isForged(current);
    become(forged ? "failed" : stateNow(current), forged);
  };
  const stateNow = ({ list }: Generation): ConnectionState => {
    if (carrier === undefined) return list.path === "failed" ? "failed" : "new";
    if (carrier.list === list || carrier.list.path !== "failed") return carrier.list.path;
    // The path was dead, and another one is looked for.
    return list.path === "failed" ? "failed" : "new";
  };
  const become = (next: ConnectionState, forged = false): void => {
    if (next === state) return;
    state = next;
    if (forged)
      events.onState(state, new WiceError("forged", "what comes on the path is not sealed with the peer's keys"));
    else events.onState(state);
  };

  const begin = async (): Promise<Generation> => {
    const list = await ice.begin({
      onCandidate: (candidate) => events.onCandidate(candidate, list.local.ufrag),
      onCandidatesComplete: () => events.onCandidatesComplete(list.local.ufrag),
      onChange: () => look(),
    });
    if (closing.signal.aborted) list.close();
    closing.signal.throwIfAborted();
    const key = isSealed ? generateEphemeralKey() : undefined;
    const fresh = { sealing: undefined, proven: false, hello: undefined, selectedAtMs: undefined, refusedBefore: 0 };
    const generation: Generation = { list, key, ...fresh };
    generations.push(generation);
    return generation;
  };
  const drop = (generation: Generation): void => {
    const at = generations.indexOf(generation);
    if (at < 0) return;
    generations.splice(at, 1);
    generation.hello?.cancel();
    ice.end(generation.list);
  };
  /** Both descriptions are known. */
  const agree = (generation: Generation, { ufrag, pwd, ephemeralKey }: AgentDescription): void => {
    const { key } = generation;
    if (key !== undefined && ephemeralKey !== undefined)
      generation.sealing = createSealing(role, agreeSealingKeys(role, key, ephemeralKey));
    // What was shown a way, and a sealed word, the peer may send by for a while; others are of no use any more.
    const old = generations.filter((each) => each !== generation && each !== carrier);
    for (const [index, each] of old.entries())
      if (each.selectedAtMs === undefined || index < old.length - maxOld) drop(each);
    current = generation;
    offered = undefined;
    generation.list.setRemote({ ufrag, pwd });
    generation.list.addCandidates(held.splice(0));
    telling ??= setImmediate(() => {
      telling = undefined;
      look();
    });
  };
  const check = ({ ufrag, pwd, ephemeralKey }: AgentDescription): void => {
    // RFC 8839, section 5.4.
    if (!/^[A-Za-z0-9+/]{4,256}$/.test(ufrag) || !/^[A-Za-z0-9+/]{22,256}$/.test(pwd))
      throw new WiceError("invalid-message", "the peer's description has no credentials for ICE");
    if (isSealed && ephemeralKey === undefined)
      throw new WiceError("invalid-message", "the peer does not protect its datagrams; we do");
    if (!isSealed && ephemeralKey !== undefined)
      throw new WiceError("invalid-message", "the peer protects its datagrams; we do not");
  };
  const describe = ({ list, key }: Generation): AgentDescription => ({
    sdp: "",
    ...list.local,
    ...(key !== undefined && { ephemeralKey: key.publicKey }),
  });
  const run = <T>(work: () => Promise<T> | T): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const onAbort = (): void => reject(closed());
      if (closing.signal.aborted) onAbort();
      closing.signal.addEventListener("abort", onAbort, { once: true });
      const done = last.then(async () => {
        closing.signal.throwIfAborted();
        return work();
      });
      last = done.then(
        (result) => resolve(result),
        (error: unknown) => reject(error),
      );
      last = last.finally(() => closing.signal.removeEventListener("abort", onAbort));
    });

  const release = (told: boolean): void => {
    closing.abort(closed());
    state = "closed";
    overlap?.cancel();
    clearImmediate(telling);
    held = [];
    for (const each of [...generations]) drop(each);
    ice.close();
    for (const each of [control, main]) each.end(told);
  };
  const endByPeer = (): void => {
    release(true);
    events.onState("closed");
  };

  return {
    get state() {
      return state;
    },
    native: {
      get counts() {
        return { sealed, opened, refused, ...ice.counts };
      },
    },
    protection: isSealed ? "sealed" : "none",
    canRestart: true,
    offer: ({ restart }) =>
      run(async () => {
        if (restart) {
          if (offered !== undefined && offered !== current) drop(offered);
          offered = undefined;
        }
        offered ??= restart ? undefined : current;
        offered ??= await begin();
        return describe(offered);
      }),
    answer: (offer) =>
      run(async () => {
        check(offer);
        if (current?.list.remote?.ufrag === offer.ufrag) {
          if (offered !== undefined && offered !== current) drop(offered);
          offered = undefined;
          return describe(current);
        }
        const generation = offered === undefined || offered === current ? await begin() : offered;
        agree(generation, offer);
        return describe(generation);
      }),
    accept: (answer) =>
      run(() => {
        check(answer);
        if (offered === undefined) throw new WiceError("invalid-message", "the peer answers an offer that nobody made");
        if (offered === current) {
          if (current?.list.remote?.ufrag !== answer.ufrag)
            throw new WiceError("invalid-message", "the peer answers with credentials that nobody asked for");
          offered = undefined;
        } else agree(offered, answer);
      }),
    addCandidates(candidates) {
      if (closing.signal.aborted) return;
      if (current !== undefined) current.list.addCandidates(candidates);
      else held = [...held, ...candidates].slice(0, maxHeldCandidates);
    },
    // Checks go on in any case: the peer may be seen from addresses that it does not know of.
    endCandidates() {},
    ...{ control, main },
    openChannel() {
      if (closing.signal.aborted) throw closed();
      throw new WiceError("unsupported", "a datagram connection has one channel; use the rtc agent for more");
    },
    selectedPair: async () => (closing.signal.aborted ? undefined : describePair((carrier ?? current)?.list.selected)),
    close() {
      if (closing.signal.aborted) return;
      // It may get lost: the peer notices then that nobody answers.
      for (let i = 0; i < byes && carrier !== undefined; i++) greet(carrier, signal.bye);
      release(false);
    },
  };
}

function describePair(pair: Pair | undefined): SelectedPair | undefined {
  if (pair === undefined) return undefined;
  const { base, remote, mapped, roundTripMs } = pair;
  const { type, protocol, address, port } = base.candidate;
  const isSeenOtherwise = mapped !== undefined && (mapped.address !== address || mapped.port !== port);
  return {
    local: isSeenOtherwise ? { type: "prflx", protocol, ...mapped } : { type, protocol, address, port },
    remote: { type: remote.type, protocol: "udp", address: remote.address, port: remote.port },
    roundTripMs,
  };
}

function closed(): WiceError {
  return new WiceError("closed", "the connection is closed");
}
