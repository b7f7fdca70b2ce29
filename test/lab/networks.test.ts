/** Every agent through every network of the laboratory: whether it connects, by which pair, and how fast. */

import type { Candidate, IceServer, VerdictCode } from "@wice/core";
import { afterAll, expect, type TestContext, test } from "vitest";
import { buildGo } from "../kit/go-build.ts";
import { labMissing } from "../kit/lab/lab.ts";
import { type LabAgent, labAgents } from "../kit/lab/lab-agents.ts";
import { type LabPeers, startPeers } from "../kit/lab/lab-peers.ts";
import {
  moveLeft,
  type Network,
  openHairpin,
  openHome,
  openHomes,
  openInternet,
  openNeighbours,
} from "../kit/lab/networks.ts";
import { printTable, type RowResult } from "../kit/lab/row-table.ts";
import {
  broken,
  coneNat,
  deafAtFirst,
  firewall,
  loss,
  noUdpNat,
  preservingNat,
  separatingNat,
  symmetricNat,
} from "../kit/lab/rules.ts";

interface Row extends Partial<Outcome> {
  readonly network: string;
  open(): Promise<Network>;
  /** Default: all. */
  readonly agents?: readonly LabAgent[];
  /** It takes its time, whatever we do. */
  readonly isSlow?: boolean;
  /** Which servers the peers know. Default: none. */
  servers?(network: Network): readonly IceServer[];
}

interface Outcome {
  /** They connect, and one end of the pair is of such a kind. */
  readonly kinds: readonly Candidate["type"][];
  /** Where the other end of the pair is seen, where it matters. */
  readonly remote: string;
  /** Of the pair, where it matters. */
  readonly family: "IPv4" | "IPv6";
  /** They cannot connect sooner. */
  readonly leastMs: number;
  /** They do not connect, and that is how it is explained. */
  readonly verdict: VerdictCode;
  /** What happens to them once they are connected. Resolves with what was seen. */
  afterwards(network: Network, peers: LabPeers): Promise<string>;
}

const symmetricToward = (right: string): Promise<Network> => openHomes({ left: symmetricNat, right });

/** To add a network, add a row. What docs/node-agents.md says of networks and servers is what these rows show. */
const rows: readonly Row[] = [
  {
    network: "NAT that keeps ports, both sides; STUN",
    open: () => openHomes(preservingNat),
    servers: ({ turn }) => [turn.stun],
    remote: "192.0.2.2",
    // Whoever is reached before it was told where from has met a peer-reflexive candidate at the same address.
    kinds: ["srflx", "prflx"],
  },
  {
    network: "symmetric NAT, both sides; STUN and TURN",
    open: () => openHomes(symmetricNat),
    servers: ({ turn }) => [turn.stun, turn.turn],
    kinds: ["relay"],
  },
  {
    network: "symmetric NAT, both sides; STUN only",
    open: () => openHomes(symmetricNat),
    servers: ({ turn }) => [turn.stun],
    verdict: "no-path",
    isSlow: true,
  },
  {
    network: "symmetric NAT, full cone; STUN",
    open: () => symmetricToward(coneNat("anybody")),
    servers: ({ turn }) => [turn.stun],
    kinds: ["srflx", "prflx"],
  },
  {
    network: "symmetric NAT, address-restricted; STUN",
    open: () => symmetricToward(coneNat("whoWasSentTo")),
    servers: ({ turn }) => [turn.stun],
    kinds: ["srflx", "prflx"],
  },
  {
    network: "symmetric NAT, port-restricted; TURN",
    open: () => symmetricToward(preservingNat),
    servers: ({ turn }) => [turn.stun, turn.turn],
    kinds: ["relay"],
  },
  {
    network: "symmetric NAT, port-restricted; STUN",
    open: () => symmetricToward(preservingNat),
    servers: ({ turn }) => [turn.stun],
    verdict: "no-path",
    isSlow: true,
  },
  {
    network: "symmetric NAT; TURN refuses the password",
    open: () => openHomes(symmetricNat),
    servers: ({ turn }) => [turn.stun, turn.refusing],
    agents: ["datagram"],
    verdict: "turn-refused",
  },
  {
    network: "symmetric NAT; TURN refuses the password",
    open: () => openHomes(symmetricNat),
    servers: ({ turn }) => [turn.stun, turn.refusing],
    // node-datachannel does not say what a server answers.
    agents: ["rtc"],
    verdict: "no-path",
    isSlow: true,
  },
  {
    network: "no UDP, both sides; TURN over TCP",
    open: () => openHomes(noUdpNat),
    servers: ({ turn }) => [turn.stun, turn.turnTcp],
    agents: ["datagram"],
    kinds: ["relay"],
  },
  {
    network: "no UDP, both sides; TURN over TLS",
    open: () => openHomes(noUdpNat),
    servers: ({ turn }) => [turn.stun, turn.turnTls],
    agents: ["datagram"],
    kinds: ["relay"],
  },
  {
    network: "no UDP, one side; TURN over TLS",
    open: () => openHomes({ left: noUdpNat, right: preservingNat }),
    servers: ({ turn }) => [turn.stun, turn.turnTls],
    agents: ["datagram"],
    kinds: ["relay"],
  },
  {
    network: "no UDP, one side; TURN by all ways",
    open: () => openHomes({ left: noUdpNat, right: preservingNat }),
    servers: ({ turn }) => [turn.stun, turn.turn, turn.turnTcp, turn.turnTls],
    // node-datachannel reaches a TURN server by UDP only.
    agents: ["rtc"],
    verdict: "no-path",
    isSlow: true,
  },
  {
    network: "one NAT, no hairpin, one network; STUN",
    open: () => openHome(preservingNat),
    servers: ({ turn }) => [turn.stun],
    remote: "10.1.0.3",
    kinds: ["host"],
  },
  {
    network: "one NAT, no hairpin, two networks; TURN",
    open: () => openNeighbours(separatingNat),
    servers: ({ turn }) => [turn.stun, turn.turn],
    kinds: ["relay"],
  },
  {
    network: "one NAT, no hairpin, two networks; STUN",
    open: () => openNeighbours(separatingNat),
    servers: ({ turn }) => [turn.stun],
    verdict: "no-path",
    isSlow: true,
  },
  {
    network: "one NAT for both, by hairpin; STUN",
    open: () => openHairpin(),
    servers: ({ turn }) => [turn.stun],
    remote: "198.51.100.11",
    kinds: ["srflx", "prflx"],
  },
  { network: "IPv6 only", open: () => openInternet({ families: ["IPv6"] }), kinds: ["host"], family: "IPv6" },
  {
    network: "IPv6 only, firewalls on both sides",
    async open() {
      const network = await openInternet({ families: ["IPv6"] });
      for (const machine of [network.left, network.right]) await machine.rules(firewall);
      return network;
    },
    kinds: ["host", "prflx"],
    family: "IPv6",
  },
  {
    network: "dual stack, IPv6 broken",
    async open() {
      const network = await openInternet({ families: ["IPv4", "IPv6"] });
      await network.internet.rules(broken("ip6"));
      return network;
    },
    kinds: ["host"],
    family: "IPv4",
  },
  {
    network: "dual stack, IPv4 broken",
    async open() {
      const network = await openInternet({ families: ["IPv6", "IPv4"] });
      await network.internet.rules(broken("ip"));
      return network;
    },
    kinds: ["host"],
    family: "IPv6",
  },
  {
    network: "address goes, another one comes",
    isSlow: true,
    open: () => openInternet(),
    kinds: ["host"],
    async afterwards(network, peers) {
      await moveLeft(network);
      const { ms, pair } = await peers.ping(100, 60_000);
      expect(pair?.local.address).toBe("198.18.0.2");
      return `again after ${ms} ms`;
    },
  },
  {
    network: "relay gone after connecting",
    open: () => openInternet(),
    kinds: ["host"],
    async afterwards({ relayProcess }, peers) {
      await relayProcess.kill();
      const { ms } = await peers.ping(100);
      return `echo after ${ms} ms`;
    },
  },
  {
    network: "20 % of packets lost",
    async open() {
      const network = await openInternet();
      await network.internet.rules(loss(20));
      return network;
    },
    kinds: ["host"],
    async afterwards(_, peers) {
      const pongs: number[] = [];
      for (let count = 0; count < 10; count++) pongs.push((await peers.ping(500)).ms);
      return `10 echoes, the slowest after ${Math.max(...pongs)} ms`;
    },
  },
  {
    network: "40 % of datagrams lost",
    // OpenSSL waits twice as long after each flight of DTLS that is not answered whole.
    isSlow: true,
    async open() {
      const network = await openInternet();
      await network.internet.rules(loss(40, "udp"));
      return network;
    },
    kinds: ["host"],
  },
  {
    network: "no datagram passes for 3 s",
    async open() {
      const network = await openInternet();
      await network.internet.rules(deafAtFirst(3));
      return network;
    },
    kinds: ["host"],
    leastMs: 2_900,
  },
  {
    // At home it is 1,500: who sends too much learns it from routers only.
    network: "MTU of 1,280 bytes on the way; STUN",
    open: () => openHomes(preservingNat, { mtuBytes: 1_280 }),
    servers: ({ turn }) => [turn.stun],
    kinds: ["srflx", "prflx"],
    async afterwards(_, peers) {
      // What WireGuard sends; then more than one packet of anybody's, and no more than a daemon takes (pion reads 8,192 bytes).
      const echoes = [await peers.ping(1_420), await peers.ping(8_000)];
      return echoes.map(({ bytes, ms }) => `${bytes} bytes echoed after ${ms} ms`).join(", ");
    },
  },
];

interface Case {
  readonly agent: LabAgent;
  readonly row: Row;
  /** The binary of whom we talk to. Undefined: somebody like us. */
  readonly daemon?: string | undefined;
  /** Of both. */
  readonly name: string;
}

const gopeer = await buildGo();
const cases: readonly Case[] = [
  ...(Object.keys(labAgents) as LabAgent[]).map((agent) => ({ agent, name: agent })),
  ...(gopeer === undefined ? [] : [{ agent: "datagram" as const, daemon: gopeer, name: "datagram, emulated daemon" }]),
].flatMap((pair) => rows.filter(({ agents }) => agents?.includes(pair.agent) ?? true).map((row) => ({ ...pair, row })));
const results = new Map<Case, RowResult>();
const missing = await labMissing(["ip", "nft", "turnserver", "openssl"]);

afterAll(() => {
  const all = cases.flatMap((each) => results.get(each) ?? []);
  if (all.length > 0) console.log(`\n${printTable(all)}\n`);
});

const timeout = 250_000;
// Those that mostly wait do it together, at the end: the others are not to be disturbed.
test.for(cases.filter(({ row }) => row.isSlow !== true))("$name: $row.network", { timeout }, runCase);
test.concurrent.for(cases.filter(({ row }) => row.isSlow === true))("$name: $row.network", { timeout }, runCase);

async function runCase(each: Case, { skip, expect }: TestContext): Promise<void> {
  if (missing !== undefined) return skip(missing);
  const { agent, row, daemon, name } = each;
  const result = { network: row.network, agent: name, connected: false, pair: undefined };
  results.set(each, result);
  await using network = await row.open();
  const { left, right, relay, turn } = network;
  const startMs = performance.now();
  const iceServers = row.servers?.(network) ?? [];
  const peers = await startPeers({ agent, relay, iceServers, caFile: turn.caFile, left, right, daemon });
  if (row.verdict !== undefined) {
    const text = await peers.untilVerdict(row.verdict);
    const hasTurn = iceServers.some(({ urls }) => `${urls}`.startsWith("turn"));
    if (row.verdict === "no-path") expect(text.includes("no TURN server")).toBe(!hasTurn);
    results.set(each, { ...result, note: `after ${Math.round(performance.now() - startMs)} ms: ${text}` });
    return;
  }
  const { connectMs } = await peers.untilConnected();
  const { ms, pair } = await peers.ping(100, 60_000);
  const connected = { ...result, connected: true, pair, connectMs, echoMs: connectMs + ms };
  results.set(each, connected);
  expect(connectMs).toBeGreaterThan(row.leastMs ?? -1);
  const kinds = [pair?.local.type, pair?.remote.type].map(String);
  expect(row.kinds, kinds.join("–")).toSatisfy((some: readonly string[]) => kinds.some((kind) => some.includes(kind)));
  // node-datachannel sometimes names the peer's host candidate, which nothing can reach here (test/lab/lab.test.ts).
  if (row.remote !== undefined && agent === "datagram") expect(pair?.remote.address).toBe(row.remote);
  if (row.family !== undefined) expect(pair?.local.address.includes(":")).toBe(row.family === "IPv6");
  if (row.afterwards !== undefined) results.set(each, { ...connected, note: await row.afterwards(network, peers) });
}
