/** The only way between two connections: a socket that passes packets on, loses them, or is dead. */

import { once } from "node:events";
import type { Candidate } from "@wice/core";
import type { AgentPair } from "@wice/core/testing";
import { bindLoopback } from "./loopback-socket.ts";

export interface Wire extends AsyncDisposable {
  loss: number;
  isDead: boolean;
  /** Sees each packet, and may say what goes in its place. */
  onPacket: (packet: Buffer, to: "one" | "two") => Buffer | undefined;
  /** A candidate of the first side's, which leads here: for the second side after a restart. */
  readonly candidate: Candidate;
}

/** Offers and answers; the second side hears of the wire only, the first of nothing: it sees who comes. */
export async function connectByWire(pair: AgentPair): Promise<Wire> {
  const socket = await bindLoopback();
  const offer = await pair.one.connection.offer({ restart: false });
  const answer = await pair.two.connection.answer(offer);
  await pair.one.connection.accept(answer);
  await pair.one.until(() => pair.one.candidates.some(({ candidate }) => candidate.address === "127.0.0.1"));
  const home = pair.one.candidates.find(({ candidate }) => candidate.address === "127.0.0.1")?.candidate;
  if (home === undefined) throw new Error("the first side is not on loopback");
  const wire: Wire = {
    loss: 0,
    isDead: false,
    onPacket: (packet) => packet,
    candidate: { ...home, port: socket.address().port },
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, "close");
    },
  };
  let other: number | undefined;
  socket.on("message", (packet, { port }) => {
    if (port !== home.port) other = port;
    const to = port === home.port ? other : home.port;
    const passed = wire.onPacket(packet, port === home.port ? "two" : "one");
    if (wire.isDead || Math.random() < wire.loss || to === undefined || passed === undefined) return;
    socket.send(passed, to, "127.0.0.1");
  });
  pair.two.connection.addCandidates([wire.candidate]);
  return wire;
}
