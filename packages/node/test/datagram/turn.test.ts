import type { IceServer, ServerError } from "@wice/core";
import { type AgentPair, createAgentPair } from "@wice/core/testing";
import { type DatagramOptions, datagram } from "@wice/node/datagram";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { selfSigned } from "../relay/self-signed.ts";
import { type Coturn, hasCoturn, startCoturn } from "./support/coturn.ts";

const onLoopback: DatagramOptions = { useAddress: ({ address }) => address === "127.0.0.1" };
let server: Coturn;

beforeAll(async () => {
  if (hasCoturn()) server = await startCoturn(selfSigned());
});
afterAll(() => server?.[Symbol.asyncDispose]());
beforeEach((context) => {
  if (!hasCoturn()) context.skip("needs coturn (apt-get install coturn)");
});

const urls = {
  udp: () => `turn:127.0.0.1:${server.port}`,
  tcp: () => `turn:127.0.0.1:${server.port}?transport=tcp`,
  tls: () => `turns:localhost:${server.tlsPort}`,
} as const;

describe.each(["udp", "tcp", "tls"] as const)("TURN over %s", (transport) => {
  test.each(["one", "two"] as const)("carries a connection whose side %s has nothing but its relay", async (who) => {
    const relayed: DatagramOptions = { ...turn(urls[transport]()), iceTransportPolicy: "relay" };
    const pair = who === "one" ? openPair(relayed, onLoopback) : openPair(onLoopback, relayed);
    await connect(pair);
    const selected = await pair[who].connection.selectedPair();
    expect(selected?.local.type).toBe("relay");
    expect(pair[who].candidates.map(({ candidate }) => candidate.type)).toEqual(["relay"]);
    await carries(pair, 300);
  });

  test("carries a connection between two relays, and over restarts of it", async () => {
    const relayed: DatagramOptions = { ...turn(urls[transport]()), iceTransportPolicy: "relay" };
    const pair = openPair(relayed, relayed);
    await connect(pair);
    for (const from of ["one", "two"] as const) {
      const { port } = (await pair.one.connection.selectedPair())?.local ?? {};
      await pair.negotiate({ from, restart: true });
      await carries(pair, 100);
      // The same place at the server.
      expect((await pair.one.connection.selectedPair())?.local.port).toBe(port);
    }
  });

  test("says 401 for a wrong password, and connects without", async () => {
    const errors: ServerError[] = [];
    const wrong: IceServer = { urls: urls[transport](), username: server.username, credential: "wrong" };
    const pair = openPair({ ...onLoopback, iceServers: [wrong], ca: server.ca }, onLoopback, errors);
    await connect(pair);
    await pair.one.until(() => pair.one.completed.length > 0);
    expect(errors).toEqual([{ url: urls[transport](), code: 401, text: "the TURN server refuses our credentials" }]);
    expect((await pair.one.connection.selectedPair())?.local.type).toBe("host");
  });
});

test("TURN over TLS by a certificate that nobody trusts is 701", async () => {
  const errors: ServerError[] = [];
  const { ca: _, ...untrusting } = turn(urls.tls());
  const pair = openPair({ ...onLoopback, ...untrusting }, onLoopback, errors);
  await connect(pair);
  await pair.one.until(() => pair.one.completed.length > 0);
  expect(errors.map(({ code }) => code)).toEqual([701]);
});

test("several servers give a relay each, and the direct path is taken nevertheless", async () => {
  const all = { ...turn(...Object.values(urls).map((url) => url())), ...onLoopback };
  const pair = openPair(all, onLoopback);
  await connect(pair);
  await pair.one.until(() => pair.one.completed.length > 0);
  const types = pair.one.candidates.map(({ candidate }) => candidate.type);
  expect(types.sort()).toEqual(["host", "relay", "relay", "relay"]);
  expect((await pair.one.connection.selectedPair())?.local.type).toBe("host");
});

test("a relay that comes long after the candidates of the peer is paired with them", async () => {
  let give = (_: { readonly servers: readonly IceServer[] }): void => {};
  const servers = new Promise<{ readonly servers: readonly IceServer[] }>((resolve) => {
    give = resolve;
  });
  const pair = openPair({ ...onLoopback, iceServers: () => servers, iceTransportPolicy: "relay" }, onLoopback);
  await pair.negotiate();
  await pair.two.until(() => pair.two.completed.length > 0);
  expect(pair.one.candidates).toEqual([]);
  give({ servers: turn(urls.udp()).iceServers });
  await pair.connected();
  await carries(pair, 10);
});

test("a relay that the server gives up is none any more: the path is noticed to be dead", async () => {
  const relayed: DatagramOptions = { ...turn(urls.tcp()), iceTransportPolicy: "relay" };
  await using own = await startCoturn(selfSigned());
  const pair = openPair(
    { ...relayed, iceServers: [{ ...serverOf(own), urls: `turn:127.0.0.1:${own.port}?transport=tcp` }] },
    onLoopback,
  );
  await connect(pair);
  await own[Symbol.asyncDispose]();
  await Promise.all([pair.one, pair.two].map((end) => end.until(() => end.connection.state === "disconnected")));
});

test("a STUN server shows an address that NAT gives, and says nothing new where there is none", async () => {
  const pair = openPair({ ...onLoopback, iceServers: [{ urls: `stun:127.0.0.1:${server.port}` }] }, onLoopback);
  await connect(pair);
  await pair.one.until(() => pair.one.completed.length > 0);
  expect(pair.one.candidates.map(({ candidate }) => candidate.type)).toEqual(["host"]);
});

test("when it is closed, nothing of it stays: no socket, no place at the server", async () => {
  const handles = (): number => process.getActiveResourcesInfo().filter((name) => /UDP|TCP|TLS/.test(name)).length;
  const pair = openPair(
    { ...turn(...Object.values(urls).map((url) => url())), iceTransportPolicy: "relay" },
    onLoopback,
  );
  await connect(pair);
  await pair.one.until(() => pair.one.completed.length > 0);
  pair.close();
  await expect.poll(handles).toBe(0);
});

function serverOf({ username, credential }: Coturn): Omit<IceServer, "urls"> {
  return { username, credential };
}

function turn(...of: string[]): { readonly iceServers: readonly IceServer[]; readonly ca: string } {
  return { iceServers: [{ urls: of, ...serverOf(server) }], ca: server.ca };
}

function openPair(one: DatagramOptions, two: DatagramOptions, errors: ServerError[] = []): AgentPair {
  const first = datagram(one);
  const spied = {
    ...first,
    hasTurn: first.hasTurn,
    connect: (given: Parameters<typeof first.connect>[0]) =>
      first.connect({ ...given, events: { ...given.events, onServerError: (error) => errors.push(error) } }),
  };
  const pair = createAgentPair(spied, datagram(two));
  onTestFinished(() => pair.close());
  return pair;
}

async function connect(pair: AgentPair): Promise<void> {
  await pair.negotiate();
  await pair.connected();
}

/** Messages both ways, of all sizes, few at a time: the server has small buffers, and may lose some nevertheless. */
async function carries({ one, two }: AgentPair, count: number): Promise<void> {
  const atATime = 20;
  for (const [from, to] of [
    [one, two],
    [two, one],
  ] as const) {
    const { main } = from.connection;
    const arrived: number[] = [];
    to.connection.main.handlers = { onMessage: ({ length }) => arrived.push(length) };
    for (let i = 0; i < count; ) {
      const before = arrived.length;
      const most = Math.min(count, i + atATime);
      const wanted = before + Math.ceil(0.7 * (most - i));
      for (; i < most; i++) main.send(new Uint8Array((i * 7) % (main.maxMessageBytes + 1)));
      await expect.poll(() => arrived.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(wanted);
    }
  }
}
