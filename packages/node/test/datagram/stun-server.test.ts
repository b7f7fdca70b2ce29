/** What a STUN server shows of a NAT: found, and kept open until somebody comes. */

import type { Candidate } from "@wice/core";
import { createAgentPair, createVirtualClock } from "@wice/core/testing";
import { datagram } from "@wice/node/datagram";
import { expect, onTestFinished, test } from "vitest";
import { attribute, encodeStun, method, parseStun } from "../../src/datagram/ice/stun-message.ts";
import { bindLoopback } from "./support/loopback-socket.ts";

test("an address that a NAT gives is kept open while nobody has come, and told anew when it changes", async () => {
  const clock = createVirtualClock();
  const server = await startServer();
  const agent = datagram({ useAddress: isLoopback, iceServers: [{ urls: server.url }], clock });
  const reflexive: Candidate[] = [];
  const connection = agent.connect({
    role: "controlling",
    events: {
      ...nothing,
      onCandidate: (candidate) => {
        if (candidate.type === "srflx") reflexive.push(candidate);
      },
    },
  });
  onTestFinished(() => connection.close());
  await connection.offer({ restart: false });
  await expect.poll(() => reflexive.map(({ port }) => port)).toEqual([1_000]);
  for (let i = 2; i <= 4; i++) {
    await clock.advance(20_000);
    await expect.poll(() => server.asked()).toBe(i);
  }
  expect(reflexive).toHaveLength(1);
  server.mappedPort = 2_000;
  await clock.advance(20_000);
  await expect.poll(() => reflexive.map(({ port }) => port)).toEqual([1_000, 2_000]);
  connection.close();
  expect(clock.pending).toBe(0);
});

test("a server is left alone once somebody has come", async () => {
  const clock = createVirtualClock();
  const server = await startServer();
  const pair = createAgentPair(
    datagram({ useAddress: isLoopback, iceServers: [{ urls: server.url }], clock }),
    datagram({ useAddress: isLoopback }),
  );
  onTestFinished(() => pair.close());
  await pair.negotiate();
  await pair.one.until(() => pair.one.completed.length > 0);
  const isConnected = (): boolean => [pair.one, pair.two].every(({ connection }) => connection.state === "connected");
  while (!isConnected()) await clock.advance(10);
  const before = server.asked();
  // Now and then, so that the path lives: the other side is in real time.
  for (let i = 0; i < 60; i++) await clock.advance(1_000);
  expect(isConnected()).toBe(true);
  expect(server.asked()).toBe(before);
});

interface StunServer {
  readonly url: string;
  mappedPort: number;
  /** Requests so far. */
  asked(): number;
}

/** Sees everybody at one address, as behind a NAT. */
async function startServer(): Promise<StunServer> {
  const socket = await bindLoopback();
  onTestFinished(() => void socket.close());
  const ids = new Set<string>();
  const server: StunServer = {
    url: `stun:127.0.0.1:${socket.address().port}`,
    mappedPort: 1_000,
    asked: () => ids.size,
  };
  socket.on("message", (packet, { address, port }) => {
    const { id } = parseStun(packet) ?? {};
    if (id === undefined) return;
    ids.add(id.toString("hex"));
    const mapped = { address: "192.0.2.9", port: server.mappedPort };
    const attributes = [[attribute.xorMappedAddress, mapped]] as const;
    socket.send(encodeStun({ method: method.binding, kind: "success", id, attributes }), port, address);
  });
  return server;
}

const isLoopback = ({ address }: { readonly address: string }): boolean => address === "127.0.0.1";

const nothing = {
  onCandidate() {},
  onCandidatesComplete() {},
  onState() {},
  onNegotiationNeeded() {},
  onChannel() {},
  onServerError() {},
};
