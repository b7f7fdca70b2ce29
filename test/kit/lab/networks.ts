/** Networks of the laboratory: two peers, an internet between them, and a server on it. */

import type { LinesProcess } from "../lines-process.ts";
import { createLab, type Lab, type Machine } from "./lab.ts";
import { startNode } from "./lab-peers.ts";
import { hairpinNat } from "./rules.ts";
import { startTurnServer, type TurnServer } from "./turn-server.ts";

export interface Network extends AsyncDisposable {
  readonly lab: Lab;
  readonly left: Machine;
  readonly right: Machine;
  /** What all packets between the two pass through, unless they are in one place. */
  readonly internet: Machine;
  /** The URL of a relay that runs on the server, by the family that peers reach it with. */
  readonly relay: string;
  readonly relayProcess: LinesProcess;
  readonly turn: TurnServer;
}

/** What differs from one side to the other. */
export interface Sides {
  readonly left: string;
  readonly right: string;
}

export type Family = "IPv4" | "IPv6";

export interface NetworkOptions {
  /** Which the internet has. Default IPv4 only. */
  readonly families?: readonly Family[] | undefined;
  /** How large a packet the internet takes. */
  readonly mtuBytes?: number | undefined;
}

/** Places on the internet: their network, as it begins in each family. The internet itself is number 1 in each. */
const places = {
  server: { IPv4: "203.0.113", IPv6: "2001:db8:3::" },
  left: { IPv4: "198.51.100", IPv6: "2001:db8:1::" },
  right: { IPv4: "192.0.2", IPv6: "2001:db8:2::" },
  elsewhere: { IPv4: "198.18.0", IPv6: "2001:db8:4::" },
} as const;
export type Place = keyof typeof places;

const relayPort = 8080;

/** Both peers have addresses of the internet's. */
export async function openInternet(options: NetworkOptions = {}): Promise<Network> {
  return await open(options, async ({ lab, attach }) => {
    const [left, right] = [await lab.machine("left"), await lab.machine("right")];
    await attach(left, "left", "eth0");
    await attach(right, "right", "eth0");
    return { left, right };
  });
}

/** Each peer is behind a router of its own, with these rules. */
export async function openHomes(rules: string | Sides, options: NetworkOptions = {}): Promise<Network> {
  return await open(options, async ({ lab, attach }) => {
    const home = async (place: keyof Sides, inside: string): Promise<Machine> => {
      const [peer, router] = [await lab.machine(place), await lab.machine(`${place}-router`)];
      await attach(router, place, "wan0");
      await lab.cable(
        { machine: peer, name: "eth0", addresses: [`${inside}.2/24`] },
        { machine: router, name: "lan0", addresses: [`${inside}.1/24`] },
      );
      await peer.routeBy(`${inside}.1`);
      await router.rules(typeof rules === "string" ? rules : rules[place]);
      return peer;
    };
    return { left: await home("left", "10.1.0"), right: await home("right", "10.2.0") };
  });
}

/** Both are in one network, behind one router with these rules. */
export async function openHome(rules: string): Promise<Network> {
  return await open({}, async ({ lab, attach }) => {
    const router = await lab.machine("router");
    await attach(router, "left", "wan0");
    await router.ip("link add lan0 type bridge");
    await router.ip("address add 10.1.0.1/24 dev lan0");
    await router.ip("link set lan0 up");
    const plugIn = async (name: keyof Sides, number: number): Promise<Machine> => {
      const machine = await lab.machine(name);
      await lab.cable(
        { machine, name: "eth0", addresses: [`10.1.0.${number}/24`] },
        { machine: router, name, addresses: [] },
      );
      await router.ip(`link set ${name} master lan0`);
      await machine.routeBy("10.1.0.1");
      return machine;
    };
    const peers = { left: await plugIn("left", 2), right: await plugIn("right", 3) };
    await router.rules(rules);
    return peers;
  });
}

/** Both are behind one router, each in a network of its own. It has these rules, and further addresses on the internet. */
export async function openNeighbours(rules: string, furtherAddresses: readonly string[] = []): Promise<Network> {
  return await open({}, async ({ lab, attach }) => {
    const router = await lab.machine("router");
    await attach(router, "left", "wan0");
    for (const address of furtherAddresses) await router.ip(`address add ${address}/32 dev wan0`);
    const neighbour = async (name: keyof Sides, index: number): Promise<Machine> => {
      const machine = await lab.machine(name);
      await lab.cable(
        { machine, name: "eth0", addresses: [`10.${index}.0.2/24`] },
        { machine: router, name: `lan${index}`, addresses: [`10.${index}.0.1/24`] },
      );
      await machine.routeBy(`10.${index}.0.1`);
      return machine;
    };
    const peers = { left: await neighbour("left", 0), right: await neighbour("right", 1) };
    await router.rules(rules);
    return peers;
  });
}

/** {@link openNeighbours} who can reach each other by their addresses on the internet only. */
export async function openHairpin(): Promise<Network> {
  const pairs = [0, 1].map((index) => ({ inside: `10.${index}.0.2`, outside: `${places.left.IPv4}.${10 + index}` }));
  return await openNeighbours(
    hairpinNat(pairs),
    pairs.map(({ outside }) => outside),
  );
}

/** Pulls the cable of the left peer of {@link openInternet}, and lays another one, with other addresses. */
export async function moveLeft({ lab, left, internet }: Network): Promise<void> {
  await left.ip("link delete eth0");
  await attachTo(lab, internet, { families: ["IPv4"] }, left, "elsewhere", "eth1");
}

type Attach = (machine: Machine, place: Place, name: string) => Promise<void>;
type Build = (under: { lab: Lab; attach: Attach }) => Promise<Pick<Network, "left" | "right">>;

async function open(options: NetworkOptions, build: Build): Promise<Network> {
  const lab = await createLab();
  try {
    const internet = await lab.machine("internet");
    const attach: Attach = (machine, place, name) => attachTo(lab, internet, options, machine, place, name);
    const server = await lab.machine("server");
    await attach(server, "server", "eth0");
    const peers = await build({ lab, attach });
    const family = options.families?.[0] ?? "IPv4";
    const address = addressOf("server", family, 2);
    const turn = await startTurnServer(server, address);
    const relayProcess = await startNode(server, "./lab-relay.ts", [String(relayPort)]);
    await relayProcess.until("ready");
    return {
      ...{ lab, ...peers, internet, turn, relayProcess },
      relay: `http://${family === "IPv6" ? `[${address}]` : address}:${relayPort}`,
      async [Symbol.asyncDispose]() {
        await turn[Symbol.asyncDispose]();
        await lab[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

async function attachTo(
  lab: Lab,
  internet: Machine,
  { families = ["IPv4"], mtuBytes }: NetworkOptions,
  machine: Machine,
  place: Place,
  name: string,
): Promise<void> {
  const addresses = (number: number): string[] =>
    families.map((family) => `${addressOf(place, family, number)}/${family === "IPv6" ? 64 : 24}`);
  await lab.cable(
    { machine, name, addresses: addresses(2) },
    { machine: internet, name: place, addresses: addresses(1) },
    { mtuBytes },
  );
  await machine.routeBy(...families.map((family) => addressOf(place, family, 1)));
}

function addressOf(place: Place, family: Family, number: number): string {
  return family === "IPv6" ? `${places[place].IPv6}${number}` : `${places[place].IPv4}.${number}`;
}
