/** An ICE agent without a network: it does what real ones do, restart and rollback included, in virtual time. */

import type {
  Agent,
  AgentConnection,
  AgentDescription,
  AgentName,
  Candidate,
  ChannelOptions,
  Clock,
  ConnectionEvents,
} from "@wice/core";
import { WiceError } from "@wice/core";
import { createFakeChannel, type FakeChannel } from "./fake-channel.ts";
import { createPaths, type End, type Host, latencyMs, type Paths } from "./fake-network.ts";

export interface FakeNetwork {
  /** An agent of a process of its own. */
  agent(options?: FakeAgentOptions): FakeAgent;
  /** No path answers while it is down. */
  setUp(up: boolean): void;
  /** Connections that are not closed, of processes that live. */
  readonly open: number;
  /** Messages that were sent on control channels. */
  readonly controlMessages: number;
}

export interface FakeAgentOptions {
  readonly name?: AgentName;
  readonly canRestart?: boolean;
  readonly canRollBack?: boolean;
  readonly hasTurn?: boolean;
  readonly dialect?: Agent["dialect"];
  /** Never finds a path. */
  readonly blocked?: boolean;
  /** When candidates are found, after the description was made. Default one, after 2 ms. */
  readonly gatherMs?: readonly number[];
  /** How long it takes to make or take a description. Default 1. */
  readonly operationMs?: number;
  readonly bytesPerMs?: number;
  readonly maxMessageBytes?: number;
  /** Why the main channel does not take a message, though it is open. */
  readonly refuses?: (message: Uint8Array) => WiceError | undefined;
  /** Why no connection can be made, if so. */
  readonly broken?: () => WiceError | undefined;
}

export interface FakeAgent extends Agent<FakeConnection> {
  /** The process is gone: its connections say nothing any more. */
  kill(): void;
  /** Its way to the network. */
  setUp(up: boolean): void;
  /** All that there were. */
  readonly connections: readonly FakeConnection[];
  /** Those that are not closed. */
  readonly open: number;
}

export interface FakeConnection {
  readonly number: number;
  readonly closed: boolean;
  /** What it was told and asked to do, in order. */
  readonly calls: readonly string[];
  /** The path dies, and this end notices. */
  fail(failure?: WiceError): void;
  disconnect(): void;
  needNegotiation(): void;
  /** A server does not do what it should. */
  refuseServer(code: number, text?: string): void;
}

export function createFakeNetwork(clock: Clock): FakeNetwork {
  const paths = createPaths(clock);
  let names = 0;
  let controlMessages = 0;
  const shared: Shared = {
    clock,
    paths,
    name(length) {
      names += 1;
      return `f${String(names).padStart(length - 1, "0")}`;
    },
    onControl() {
      controlMessages += 1;
    },
  };

  return {
    setUp: paths.setUp,
    get open() {
      return paths.ends.size;
    },
    get controlMessages() {
      return controlMessages;
    },
    agent(options = {}) {
      const host: Host = { alive: true, up: true };
      const made: { readonly end: End; readonly fake: FakeConnection }[] = [];
      return {
        name: options.name ?? "rtc",
        hasTurn: options.hasTurn ?? false,
        kill() {
          host.alive = false;
          for (const { end } of made) paths.remove(end);
        },
        setUp(up) {
          host.up = up;
          paths.review();
        },
        get connections() {
          return made.map(({ fake }) => fake);
        },
        get open() {
          return made.filter(({ end }) => paths.ends.has(end)).length;
        },
        ...(options.dialect !== undefined && { dialect: options.dialect }),
        connect({ role, events }) {
          const failure = options.broken?.();
          if (failure !== undefined) throw failure;
          const firstChannel = role === "controlling" ? 2 : 3;
          const { end, connection } = createFakeConnection(
            made.length + 1,
            firstChannel,
            host,
            events,
            options,
            shared,
          );
          made.push({ end, fake: connection.native });
          return connection;
        },
      };
    },
  };
}

interface Shared {
  readonly clock: Clock;
  readonly paths: Paths;
  name(length: number): string;
  onControl(): void;
}

function createFakeConnection(
  number: number,
  firstChannel: number,
  host: Host,
  events: ConnectionEvents,
  options: FakeAgentOptions,
  { clock, paths, name, onControl }: Shared,
): { readonly end: End; readonly connection: AgentConnection<FakeConnection> } {
  const { canRestart = true, canRollBack = true, blocked = false, gatherMs = [2], operationMs = 1 } = options;
  const end: End = {
    events,
    host,
    channels: new Map(),
    state: "new",
    local: undefined,
    remote: undefined,
    candidates: 0,
    checking: false,
    peer: undefined,
  };
  paths.add(end);
  const isOver = (): boolean => end.state === "closed" || !host.alive;
  const calls: string[] = [];
  const origin = name(8);
  /** An offer that waits for its answer. */
  let offered: AgentDescription | undefined;
  let nextChannel = firstChannel;

  const channelOf = (of: End, id: number, label: string, reliable: boolean): FakeChannel => {
    const channel = createFakeChannel({
      ...{ id, label, reliable, clock, latencyMs },
      bytesPerMs: options.bytesPerMs ?? Number.POSITIVE_INFINITY,
      maxMessageBytes: options.maxMessageBytes ?? 65_536,
      answers: () => paths.answers(of),
      other: () => of.peer?.channels.get(id),
      onSent: id === 0 ? onControl : () => {},
      ...(id === 1 && options.refuses !== undefined && { refuses: options.refuses }),
    });
    of.channels.set(id, channel);
    return channel;
  };
  const control = channelOf(end, 0, "wice", true);
  const main = channelOf(end, 1, "data", true);

  const describe = (): AgentDescription => {
    const made = { sdp: `v=0\r\no=- ${origin} 0 IN IP4 0.0.0.0\r\n`, ufrag: name(8), pwd: name(24) };
    const last = Math.max(...gatherMs);
    for (const [index, atMs] of gatherMs.entries())
      clock.schedule(atMs, () => {
        if (isOver()) return;
        events.onCandidate(candidate(index), made.ufrag);
        if (atMs === last) events.onCandidatesComplete(made.ufrag);
      });
    return made;
  };
  /** Both descriptions are in force. */
  const agree = (local: AgentDescription, remote: AgentDescription): void => {
    const fresh = end.local?.ufrag !== local.ufrag || end.remote?.ufrag !== remote.ufrag;
    if (end.remote?.ufrag !== remote.ufrag) end.candidates = 0;
    end.local = local;
    end.remote = remote;
    if (!blocked) paths.check(end, fresh);
    else if (fresh) clock.schedule(failAfterMs, () => paths.setState(end, "failed"));
  };
  const later = async (call: string): Promise<void> => {
    calls.push(call);
    await new Promise<void>((resolve) => void clock.schedule(operationMs, resolve));
    // A process that is gone gets no answer to anything.
    if (!host.alive) await new Promise(() => {});
    if (isOver()) throw new WiceError("closed", "the connection is closed");
  };

  const native: FakeConnection = {
    number,
    calls,
    get closed() {
      return end.state === "closed";
    },
    fail(failure) {
      end.checking = false;
      paths.setState(end, "failed", failure);
      paths.review();
    },
    disconnect() {
      paths.setState(end, "disconnected");
      paths.review();
    },
    needNegotiation: () => events.onNegotiationNeeded(),
    refuseServer: (code, text = "refused") => events.onServerError({ url: "turn:turn.example", code, text }),
  };
  const connection: AgentConnection<FakeConnection> = {
    get state() {
      return end.state;
    },
    native,
    protection: "dtls",
    canRestart,
    async offer({ restart }) {
      await later(restart ? "restart" : "offer");
      if (restart && !canRestart) throw new WiceError("unsupported", "no restart");
      offered = restart || end.local === undefined ? describe() : end.local;
      return offered;
    },
    async answer(offer) {
      await later("answer");
      if (offered !== undefined && !canRollBack) throw new WiceError("unsupported", "no rollback");
      if (options.name !== "datagram" && !offer.sdp.startsWith("v=0"))
        throw new WiceError("invalid-message", "not an offer");
      const restarts = end.remote !== undefined && end.remote.ufrag !== offer.ufrag;
      if (restarts && !canRestart) throw new WiceError("unsupported", "cannot follow a restart");
      offered = undefined;
      const local = restarts || end.local === undefined ? describe() : end.local;
      agree(local, offer);
      return local;
    },
    async accept(answer) {
      await later("accept");
      if (offered === undefined) throw new WiceError("invalid-message", "no offer waits");
      if (options.name !== "datagram" && !answer.sdp.startsWith("v=0"))
        throw new WiceError("invalid-message", "not an answer");
      const local = offered;
      offered = undefined;
      agree(local, answer);
    },
    addCandidates(candidates) {
      calls.push(`${candidates.length} candidates`);
      end.candidates += candidates.length;
      if (!blocked) paths.check(end, false);
    },
    endCandidates() {
      calls.push("no more candidates");
    },
    control,
    main,
    openChannel(label, { maxRetransmits, maxPacketLifeTimeMs }: ChannelOptions) {
      const reliable = maxRetransmits === undefined && maxPacketLifeTimeMs === undefined;
      const channel = channelOf(end, nextChannel, label, reliable);
      nextChannel += 2;
      const { peer } = end;
      channel.open();
      if (peer === undefined) return channel;
      const theirs = channelOf(peer, channel.id, label, reliable);
      theirs.open();
      clock.schedule(latencyMs, () => {
        if (peer.host.alive && peer.state !== "closed") peer.events.onChannel(theirs);
      });
      return channel;
    },
    selectedPair: async () => undefined,
    close: () => paths.close(end),
  };
  return { end, connection };
}

/** When a path that can never be is given up. */
const failAfterMs = 15_000;

function candidate(index: number): Candidate {
  return {
    ...{ foundation: String(index + 1), component: 1, protocol: "udp", priority: 1, type: "host" },
    ...{ address: "192.0.2.1", port: 9 + index, tcpType: undefined, related: undefined },
  };
}
