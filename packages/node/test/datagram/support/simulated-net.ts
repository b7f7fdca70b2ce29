/** A network in virtual time, under check lists: packets take a while, get lost, and find nobody. */

import type { Candidate, Role } from "@wice/core";
import { createSeededRandom, createVirtualClock, type VirtualClock } from "@wice/core/testing";
import type { Base } from "../../../src/datagram/ice/base.ts";
import { type CheckList, createCheckList } from "../../../src/datagram/ice/check-list.ts";
import { parseStun } from "../../../src/datagram/ice/stun-message.ts";

export interface SimulatedNet {
  readonly clock: VirtualClock;
  readonly one: SimulatedEnd;
  readonly two: SimulatedEnd;
  /** Of all packets. */
  loss: number;
  /** Whether a packet from one address to another gets there. */
  passes: (from: string, to: string) => boolean;
  /** Packets sent so far. */
  readonly sent: number;
  /** Both have the other's credentials and candidates. */
  begin(): void;
}

export interface SimulatedEnd {
  readonly list: CheckList;
  readonly bases: readonly Base[];
  /** What its path was, and since when. */
  readonly states: { readonly path: string; readonly atMs: number }[];
  begin(other: SimulatedEnd): void;
}

export interface SimulatedNetOptions {
  readonly seed?: number;
  readonly loss?: number;
  readonly delayMs?: number;
  readonly roles?: readonly [Role, Role];
  readonly one?: readonly SimulatedPlace[];
  readonly two?: readonly SimulatedPlace[];
}

/** `type` defaults to host. */
export interface SimulatedPlace {
  readonly address: string;
  readonly type?: Candidate["type"];
  readonly priority?: number;
}

export function createSimulatedNet(options: SimulatedNetOptions = {}): SimulatedNet {
  const { seed = 1, loss = 0, delayMs = 5, roles = ["controlling", "controlled"] } = options;
  const random = createSeededRandom(seed);
  const clock = createVirtualClock();
  const places = new Map<string, { readonly end: () => SimulatedEnd; readonly base: Base }>();
  let sent = 0;

  const createEnd = (role: Role, list: readonly SimulatedPlace[], name: string): SimulatedEnd => {
    const bases = list.map(({ address, type = "host", priority = 2_130_706_431 }, index): Base => {
      const candidate: Candidate = {
        ...{ type, protocol: "udp", component: 1, address, port: 4_000 + index, foundation: `${index}` },
        ...{ tcpType: undefined, related: undefined, priority: priority - index },
      };
      const base: Base = {
        candidate,
        family: address.includes(":") ? 6 : 4,
        send(packet, to) {
          sent += 1;
          if (random.chance(net.loss) || !net.passes(address, to)) return;
          const target = places.get(to);
          if (target === undefined) return;
          clock.schedule(delayMs, () =>
            deliver(target.end().list, target.base, Buffer.from(packet), address, candidate.port),
          );
        },
        sendPaced() {},
        waitingBytes: 0,
        permit() {},
        prefer() {},
        close() {},
      };
      places.set(address, { end: () => end, base });
      return base;
    });
    const states: { path: string; atMs: number }[] = [];
    const checks = createCheckList({
      ...{ role, clock, bases },
      local: { ufrag: `ufrag${name}`, pwd: `password-of-twenty-two-${name}` },
      onChange: () => states.push({ path: checks.path, atMs: clock.now() }),
    });
    const end: SimulatedEnd = {
      ...{ list: checks, bases, states },
      begin(other) {
        checks.setRemote(other.list.local);
        checks.addCandidates(other.bases.map(({ candidate }) => candidate));
      },
    };
    return end;
  };

  const one = createEnd(roles[0], options.one ?? [{ address: "10.0.0.1" }], "one");
  const two = createEnd(roles[1], options.two ?? [{ address: "10.0.0.2" }], "two");
  const net: SimulatedNet = {
    ...{ clock, one, two, loss, passes: () => true },
    get sent() {
      return sent;
    },
    begin() {
      one.begin(two);
      two.begin(one);
    },
  };
  return net;
}

export function deliver(list: CheckList, base: Base, packet: Buffer, address: string, port: number): boolean {
  const message = parseStun(packet);
  if (message === undefined) return false;
  return message.kind === "request"
    ? list.takeRequest(base, message, address, port)
    : list.takeResponse(base, message, address, port);
}
