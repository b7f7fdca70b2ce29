/** An ICE agent without a network: connections meet by their credentials, in virtual time. */

import type {
  Agent,
  AgentChannel,
  AgentConnection,
  AgentDescription,
  ChannelHandlers,
  Clock,
  ConnectionEvents,
  ConnectionState,
} from "@wice/core";
import { WiceError } from "@wice/core";

export interface FakeNetwork {
  /** An agent of a process of its own. */
  agent(options?: FakeAgentOptions): FakeAgent;
  /** No path answers while it is down. */
  setUp(up: boolean): void;
  /** Connections that are not closed. */
  readonly open: number;
}

export interface FakeAgentOptions {
  readonly name?: "rtc" | "datagram";
  readonly canRestart?: boolean;
  readonly canRollBack?: boolean;
  readonly hasTurn?: boolean;
  /** Never finds a path. */
  readonly blocked?: boolean;
}

export interface FakeAgent extends Agent<FakeConnection> {
  /** The process is gone: its connections say nothing any more. */
  kill(): void;
  readonly connections: readonly FakeConnection[];
}

export interface FakeConnection {
  readonly number: number;
  /** The path dies, and its end notices. */
  fail(): void;
  disconnect(): void;
  needNegotiation(): void;
}

interface End {
  readonly events: ConnectionEvents;
  state: ConnectionState;
  alive: boolean;
  local: AgentDescription | undefined;
  remote: AgentDescription | undefined;
  candidates: number;
  blocked: boolean;
  waiting: boolean;
  readonly channels: Map<number, FakeChannel>;
  peer: End | undefined;
}

const latencyMs = 5;
const noticeMs = 5_000;
const failMs = 15_000;

export function createFakeNetwork(clock: Clock): FakeNetwork {
  const ends = new Set<End>();
  let up = true;
  let names = 0;
  const name = (length: number): string => {
    names += 1;
    return `f${String(names).padStart(length - 1, "0")}`;
  };

  const setState = (end: End, state: ConnectionState, failure?: WiceError): void => {
    if (!end.alive || end.state === state || end.state === "closed") return;
    end.state = state;
    if (failure === undefined) end.events.onState(state);
    else end.events.onState(state, failure);
  };
  const counterpart = (end: End): End | undefined =>
    [...ends].find(
      (other) =>
        other !== end &&
        other.alive &&
        other.state !== "closed" &&
        other.local?.ufrag === end.remote?.ufrag &&
        other.remote?.ufrag === end.local?.ufrag &&
        end.local !== undefined &&
        end.remote !== undefined,
    );
  const meet = (end: End): void => {
    clock.schedule(latencyMs, () => {
      const other = counterpart(end);
      if (other === undefined || !end.alive || !up || end.blocked || other.blocked) return;
      if (end.candidates + other.candidates === 0) return;
      for (const [one, two] of [
        [end, other],
        [other, end],
      ] as const) {
        one.peer = two;
        one.waiting = false;
      }
      for (const one of [end, other]) {
        for (const channel of one.channels.values()) channel.open();
        setState(one, "connected");
      }
    });
  };
  const expect = (end: End): void => {
    end.waiting = true;
    meet(end);
    const { remote } = end;
    clock.schedule(failMs, () => {
      if (end.waiting && end.remote === remote) setState(end, "failed");
    });
  };
  const watch = (end: End): void => {
    // The other side stopped answering.
    const look = (): void => {
      if (!end.alive || end.state === "closed" || end.state === "failed") return;
      const gone = end.state === "connected" && (!up || end.peer?.alive !== true || end.peer.state === "closed");
      if (gone) {
        setState(end, "disconnected");
        clock.schedule(noticeMs, () => {
          if (end.state === "disconnected") setState(end, "failed");
        });
      }
      clock.schedule(noticeMs, look);
    };
    clock.schedule(noticeMs, look);
  };

  return {
    setUp(now) {
      up = now;
      if (up) for (const end of ends) if (end.waiting) meet(end);
    },
    get open() {
      return [...ends].filter(({ state, alive }) => alive && state !== "closed").length;
    },
    agent({ name: agentName = "rtc", canRestart = true, canRollBack = true, hasTurn = false, blocked = false } = {}) {
      const mine: { end: End; fake: FakeConnection }[] = [];
      let dead = false;
      return {
        name: agentName,
        hasTurn,
        kill() {
          dead = true;
          for (const { end } of mine) {
            end.alive = false;
            ends.delete(end);
          }
        },
        get connections() {
          return mine.map(({ fake }) => fake);
        },
        connect({ events }) {
          if (dead) throw new WiceError("unsupported", "the process is gone");
          const end: End = {
            events,
            state: "new",
            alive: true,
            local: undefined,
            remote: undefined,
            candidates: 0,
            blocked,
            waiting: false,
            channels: new Map(),
            peer: undefined,
          };
          ends.add(end);
          const origin = name(8);
          const channelOf = (number: number, label: string): FakeChannel => {
            const channel = createFakeChannel(
              number,
              label,
              () => end.peer?.channels.get(number),
              clock,
              () => up,
            );
            end.channels.set(number, channel);
            return channel;
          };
          const control = channelOf(0, "wice");
          const main = channelOf(1, "data");
          let offered = false;
          let nextChannel = 2;
          const describe = (fresh: boolean): AgentDescription => {
            if (fresh || end.local === undefined) {
              end.local = { sdp: `v=0\r\no=- ${origin} 0 IN IP4 0.0.0.0\r\n`, ufrag: name(8), pwd: name(24) };
              const { ufrag } = end.local;
              clock.schedule(2, () => {
                if (!end.alive || end.state === "closed") return;
                events.onCandidate(
                  {
                    foundation: "1",
                    component: 1,
                    protocol: "udp",
                    priority: 1,
                    address: "192.0.2.1",
                    port: 9,
                    type: "host",
                    tcpType: undefined,
                    related: undefined,
                  },
                  ufrag,
                );
                events.onCandidatesComplete(ufrag);
              });
            }
            return end.local;
          };
          const later = async (): Promise<void> => {
            await new Promise<void>((resolve) => void clock.schedule(1, resolve));
            if (end.state === "closed" || !end.alive) throw new WiceError("closed", "the connection is closed");
          };
          const fake: FakeConnection = {
            number: mine.length + 1,
            fail: () => setState(end, "failed"),
            disconnect: () => setState(end, "disconnected"),
            needNegotiation: () => events.onNegotiationNeeded(),
          };
          mine.push({ end, fake });
          watch(end);
          const connection: AgentConnection<FakeConnection> = {
            get state() {
              return end.state;
            },
            native: fake,
            protection: "dtls",
            canRestart,
            async offer({ restart }) {
              await later();
              if (restart && !canRestart) throw new WiceError("unsupported", "no restart");
              offered = true;
              return describe(restart);
            },
            async answer(offer) {
              await later();
              if (offered && !canRollBack) throw new WiceError("unsupported", "no rollback");
              offered = false;
              const restarts = end.remote !== undefined && end.remote.ufrag !== offer.ufrag;
              const description = describe(restarts);
              end.remote = offer;
              if (restarts || end.state !== "connected") {
                end.candidates = 0;
                expect(end);
              }
              return description;
            },
            async accept(answer) {
              await later();
              if (!offered) throw new WiceError("invalid-message", "no offer waits");
              offered = false;
              const restarts = end.remote?.ufrag !== answer.ufrag;
              end.remote = answer;
              if (restarts || end.state !== "connected") {
                end.candidates = 0;
                expect(end);
              }
            },
            addCandidates(candidates) {
              end.candidates += candidates.length;
              if (end.waiting) meet(end);
            },
            endCandidates() {},
            control,
            main,
            openChannel(label) {
              const number = nextChannel;
              nextChannel += 1;
              const channel = channelOf(number, label);
              const other = end.peer;
              if (other !== undefined) {
                const theirs = createFakeChannel(
                  number,
                  label,
                  () => end.channels.get(number),
                  clock,
                  () => up,
                );
                other.channels.set(number, theirs);
                theirs.open();
                clock.schedule(latencyMs, () => other.events.onChannel(theirs));
              }
              channel.open();
              return channel;
            },
            selectedPair: async () => undefined,
            close() {
              if (end.state === "closed") return;
              end.state = "closed";
              ends.delete(end);
              for (const channel of end.channels.values()) channel.close();
              const { peer } = end;
              if (peer !== undefined && up)
                clock.schedule(latencyMs, () => peer.peer === end && setState(peer, "closed"));
            },
          };
          return connection;
        },
      };
    },
  };
}

interface FakeChannel extends AgentChannel {
  open(): void;
  take(message: Uint8Array): void;
}

function createFakeChannel(
  id: number,
  label: string,
  other: () => FakeChannel | undefined,
  clock: Clock,
  isUp: () => boolean,
): FakeChannel {
  let state: AgentChannel["state"] = "connecting";
  const handlers: ChannelHandlers = {};
  const channel: FakeChannel = {
    id,
    label,
    reliable: true,
    maxMessageBytes: 65_536,
    bufferedBytes: 0,
    handlers,
    get state() {
      return state;
    },
    open() {
      if (state !== "connecting") return;
      state = "open";
      channel.handlers.onOpen?.();
    },
    send(message) {
      if (state !== "open") throw new WiceError("closed", "the channel is closed");
      const copy = new Uint8Array(message);
      clock.schedule(latencyMs, () => {
        if (isUp()) other()?.take(copy);
      });
    },
    take(message) {
      if (state === "open") channel.handlers.onMessage?.(message);
    },
    close() {
      if (state === "closed") return;
      state = "closed";
      channel.handlers.onClose?.();
    },
  };
  return channel;
}
