/** What becomes of a place at a TURN server when a connection restarts, and when it ends. */

import type { ServerError } from "@wice/core";
import { type AgentPair, createAgentPair } from "@wice/core/testing";
import { datagram } from "@wice/node/datagram";
import { expect, onTestFinished, test } from "vitest";
import { type ScriptedTurn, startScriptedTurn } from "./support/scripted-turn.ts";

test("it is all that the peer hears of, where it is there to hide us", async () => {
  const { pair } = await open();
  await gathered(pair, 1);
  expect(pair.one.candidates.map(({ candidate }) => candidate)).toEqual([
    expect.objectContaining({ type: "relay", address: "192.0.2.1", related: undefined }),
  ]);
});

test("it is given back when the connection is closed", async () => {
  const { pair, server } = await open();
  await gathered(pair, 1);
  pair.close();
  await expect.poll(() => server.asked.at(-1)).toMatchObject({ name: "refresh", lifetimeS: 0 });
});

test("it is given back when the connection is closed before the server's yes has come", async () => {
  const { pair, server } = await open(false);
  server.says = ({ name }) => (name === "allocate" ? "nothing" : "yes");
  await pair.negotiate();
  await expect.poll(() => allocations(server).length).toBeGreaterThan(0);
  pair.close();
  const [{ from } = { from: 0 }] = allocations(server);
  await expect.poll(() => server.asked.at(-1)).toEqual({ name: "refresh", lifetimeS: 0, from });
});

test("a restart keeps it, and takes another one where the server does not know it any more", async () => {
  const { pair, server } = await open();
  await gathered(pair, 1);
  await pair.negotiate({ restart: true });
  await gathered(pair, 2);
  expect(allocations(server)).toHaveLength(1);

  const [first] = allocations(server);
  server.says = ({ name, from }) => (name !== "allocate" && from === first?.from ? 437 : "yes");
  await pair.negotiate({ restart: true });
  await gathered(pair, 3);
  const [, second] = allocations(server);
  expect(second?.from).not.toBe(first?.from);
  const ports = pair.one.candidates.map(({ candidate }) => candidate.port);
  expect(new Set(ports).size).toBe(2);
});

test("restarts in quick succession ask for one only", async () => {
  const { pair, server } = await open(false);
  server.says = () => "nothing";
  await pair.negotiate();
  await expect.poll(() => allocations(server).length).toBeGreaterThan(0);
  for (let i = 0; i < 3; i++) await pair.negotiate({ restart: true });
  server.says = () => "yes";
  await gathered(pair, 1);
  expect(new Set(allocations(server).map(({ from }) => from)).size).toBe(1);
});

test("each look for a path says anew what the server has against it", async () => {
  const errors: ServerError[] = [];
  const { pair, server } = await open(false, errors);
  server.says = () => 486;
  await pair.negotiate();
  await gathered(pair, 1);
  await pair.negotiate({ restart: true });
  await gathered(pair, 2);
  const error = { url: server.url, code: 486, text: "the TURN server has no place left for this user" };
  expect(errors).toEqual([error, error]);
});

async function open(
  negotiates = true,
  errors: ServerError[] = [],
): Promise<{ readonly pair: AgentPair; readonly server: ScriptedTurn }> {
  const server = await startScriptedTurn();
  const { url: urls, username, credential } = server;
  const first = datagram({ iceServers: [{ urls, username, credential }], iceTransportPolicy: "relay" });
  const spied = {
    ...first,
    hasTurn: true,
    connect: (given: Parameters<typeof first.connect>[0]) =>
      first.connect({ ...given, events: { ...given.events, onServerError: (error) => errors.push(error) } }),
  };
  const pair = createAgentPair(spied, datagram({ useAddress: ({ address }) => address === "127.0.0.1" }));
  onTestFinished(async () => {
    pair.close();
    await server[Symbol.asyncDispose]();
  });
  if (negotiates) await pair.negotiate();
  return { pair, server };
}

const allocations = ({ asked }: ScriptedTurn): ScriptedTurn["asked"] => asked.filter(({ name }) => name === "allocate");

async function gathered({ one }: AgentPair, times: number): Promise<void> {
  await one.until(() => one.completed.length >= times);
}
