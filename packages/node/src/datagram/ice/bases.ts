/** The sockets and relays of one connection, and the candidates that they give. */

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Candidate, Clock, IceServer, ServerError, Timer } from "@wice/core";
import { type Base, type BaseHandlers, candidatePriority, familyOf, foundationOf, openHostBase } from "./base.ts";
import { type LocalAddress, localAddresses } from "./local-addresses.ts";
import { parseServers, type StunServer, type TurnServer } from "./server-url.ts";
import { attribute, type Endpoint, method, normalAddress, readXorAddress, type StunMessage } from "./stun-message.ts";
import { createStunRequests } from "./stun-requests.ts";
import { allocateRelay, type Relay } from "./turn-relay.ts";
import type { PortRange } from "./udp-socket.ts";

export interface Bases {
  readonly all: ReadonlySet<Base>;
  /**
   * Opens sockets at addresses that have none, and closes those of addresses that are gone. Rejects with `address-in-use`
   * where there is none at all.
   */
  open(): Promise<void>;
  /** Tells the candidates, those of the sockets first; resolves when no server is waited for any more. */
  gather(onCandidate: (candidate: Candidate) => void): Promise<void>;
  /** Whether it is a server's answer. */
  take(message: StunMessage): boolean;
  close(): void;
}

export interface BasesOptions extends BaseHandlers {
  readonly clock: Clock;
  readonly relayOnly: boolean;
  readonly portRange: PortRange | undefined;
  readonly useAddress: ((address: LocalAddress) => boolean) | undefined;
  readonly ca: string | Buffer | undefined;
  servers(signal: AbortSignal): Promise<readonly IceServer[]>;
  /** Whether somebody still has to come through. */
  isLooking(): boolean;
  onBase(base: Base): void;
  /** It carries nothing any more. */
  onLost(base: Base): void;
  onServerError(error: ServerError): void;
}

/** From a socket of ours to a STUN server. */
interface Way {
  readonly look: object;
  readonly base: Base;
  readonly address: string;
  readonly port: number;
  readonly url: string;
  onCandidate(candidate: Candidate): void;
}

/** Some NATs forget in 30 seconds what was answered once. */
const keepOpenMs = 20_000;
/** More give no better path. */
const maxServers = 8;
const highestPreference = 65_535;

export function createBases(options: BasesOptions): Bases {
  const { clock, relayOnly, portRange, useAddress, ca, onBase, onLost } = options;
  const closing = new AbortController();
  const { signal } = closing;
  const requests = createStunRequests({ clock, repeats: true });
  /** By address. */
  const hosts = new Map<string, Base>();
  /** By the server's URL. */
  const relays = new Map<string, Relay>();
  const allocating = new Map<string, Promise<Relay | undefined>>();
  const all = new Set<Base>();
  const reported = new Set<string>();
  const keeping = new Set<Timer>();
  /** The latest look for a path: what others have found is nobody's concern any more. */
  let look = {};

  const add = (base: Base): void => {
    all.add(base);
    onBase(base);
  };
  const drop = (base: Base): void => {
    all.delete(base);
    onLost(base);
    base.close();
  };
  const report = (error: ServerError): void => {
    const what = `${error.code} ${error.url}`;
    if (signal.aborted || reported.has(what)) return;
    reported.add(what);
    options.onServerError(error);
  };

  const open = async (): Promise<void> => {
    if (relayOnly) return;
    const places = localAddresses(useAddress);
    for (const [address, base] of hosts) {
      if (places.some((place) => place.address === address)) continue;
      hosts.delete(address);
      drop(base);
    }
    const failures: unknown[] = [];
    await Promise.all(
      places.map(async (place, index) => {
        const { address } = place;
        if (hosts.has(address)) return;
        try {
          const base = await openHostBase(place, highestPreference - index, portRange, options);
          if (signal.aborted || hosts.has(address)) base.close();
          else {
            hosts.set(address, base);
            add(base);
          }
        } catch (error) {
          failures.push(error);
        }
      }),
    );
    if (hosts.size === 0 && failures.length > 0 && !signal.aborted) throw failures[0];
  };

  const askStun = async ({ host, port, url }: StunServer, onCandidate: (candidate: Candidate) => void) => {
    const mine = look;
    const addresses = await resolve(host);
    const asked = [...hosts.values()].flatMap((base) => {
      const address = addresses.find((each) => familyOf(each) === base.family);
      return address === undefined ? [] : [{ base, address }];
    });
    const answers = await Promise.all(
      asked.map(({ base, address }) => askReflexive({ look: mine, base, address, port, url, onCandidate })),
    );
    const text = addresses.length === 0 ? "the STUN server has no address" : "the STUN server does not answer";
    if (asked.length > 0 || addresses.length === 0) if (!answers.includes(true)) report({ url, code: 701, text });
  };
  /** Resolves with whether the server has answered. */
  const askReflexive = async (way: Way): Promise<boolean> => {
    const { base, address, port, url, onCandidate } = way;
    const send = (packet: Buffer): void => base.send(packet, address, port);
    const answer = await requests.ask({ method: method.binding, attributes: [] }, send);
    const mapped = answer && readXorAddress(answer.attributes.get(attribute.xorMappedAddress), answer.id);
    if (mapped === undefined || signal.aborted) return false;
    tellReflexive(base, mapped, url, onCandidate);
    keepOpen(way);
    return true;
  };
  /** Until somebody comes through: a NAT forgets what nobody uses, and what we have said of it would be wrong. */
  const keepOpen = (way: Way): void => {
    if (way.look !== look) return;
    const timer = clock.schedule(keepOpenMs, () => {
      keeping.delete(timer);
      if (!all.has(way.base)) return;
      if (options.isLooking()) void askReflexive(way).then((isOpen) => isOpen || keepOpen(way));
      else keepOpen(way);
    });
    keeping.add(timer);
  };
  const letGo = (): void => {
    look = {};
    for (const timer of keeping) timer.cancel();
    keeping.clear();
  };
  const tellReflexive = (
    { candidate }: Base,
    mapped: Endpoint,
    url: string,
    onCandidate: (candidate: Candidate) => void,
  ): void => {
    // Without NAT it says nothing new.
    if (mapped.address === candidate.address && mapped.port === candidate.port) return;
    onCandidate({
      ...candidate,
      ...{ type: "srflx", address: mapped.address, port: mapped.port },
      related: { address: candidate.address, port: candidate.port },
      foundation: foundationOf("srflx", candidate.address, url),
      priority: candidatePriority("srflx", Math.floor(candidate.priority / 2 ** 8) % 2 ** 16),
    });
  };
  const askTurn = async (server: TurnServer, index: number, onCandidate: (candidate: Candidate) => void) => {
    const { url } = server;
    const before = relays.get(url);
    if (before !== undefined) {
      onCandidate(before.base.candidate);
      if (await before.check()) return;
    }
    // Who restarts meanwhile waits for the same one.
    const made = allocating.get(url) ?? allocate(server, index).finally(() => allocating.delete(url));
    allocating.set(url, made);
    const relay = await made;
    if (relay !== undefined) onCandidate(relay.base.candidate);
  };
  /** In place of the one there is, which does not answer any more. */
  const allocate = async (server: TurnServer, index: number): Promise<Relay | undefined> => {
    const { url, transport } = server;
    // UDP loses less time than a stream that loses a segment.
    const localPreference = (transport === "udp" ? highestPreference : highestPreference / 2) - index;
    const relay = await allocateRelay(server, {
      ...{ clock, signal, ca, onPacket: options.onPacket, onLow: options.onLow },
      localPreference: Math.floor(localPreference),
      onLost(base) {
        if (relays.get(url)?.base === base) relays.delete(url);
        drop(base);
      },
    });
    if ("code" in relay) {
      report(relay);
      return undefined;
    }
    if (signal.aborted) {
      relay.base.close();
      return undefined;
    }
    const before = relays.get(url);
    relays.set(url, relay);
    if (before !== undefined) drop(before.base);
    add(relay.base);
    return relay;
  };

  return {
    all,
    open,
    async gather(tell) {
      // What stands in the way of this look for a path is said again, though it stood in the way of the last one.
      reported.clear();
      letGo();
      const told = new Set<string>();
      const onCandidate = (candidate: Candidate): void => {
        const name = `${candidate.type} ${candidate.address} ${candidate.port}`;
        if (signal.aborted || told.has(name)) return;
        told.add(name);
        tell(candidate);
      };
      for (const { candidate } of hosts.values()) onCandidate(candidate);
      const servers = parseServers(await options.servers(signal)).slice(0, maxServers);
      await Promise.all(
        servers.map(async (server, index) => {
          if (server.kind === "unusable") report({ url: server.url, code: 701, text: server.why });
          else if (server.kind === "turn") await askTurn(server, index, onCandidate);
          else if (!relayOnly) await askStun(server, onCandidate);
        }),
      );
    },
    take: requests.take,
    close() {
      closing.abort();
      requests.end();
      letGo();
      for (const base of all) base.close();
      all.clear();
      hosts.clear();
      relays.clear();
    },
  };
}

async function resolve(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [normalAddress(host)];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => normalAddress(address));
  } catch {
    return [];
  }
}
