/**
 * A peer as a process of its own, for a machine of the laboratory. It sends back what comes, and tells as lines of JSON what
 * happens. With somebody to call it calls, and takes commands: `{ do: "ping", id, bytes }` sends something until it is back.
 * Ends with its stdin.
 */

import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import {
  type Agent,
  createBackend,
  createPeer,
  type IceServer,
  PublicKey,
  parsePrivateKey,
  type Session,
} from "@wice/core";
import { nodeTransports } from "@wice/node";
import { type LabAgent, labAgents } from "./lab-agents.ts";

export interface LabPeerOptions {
  readonly relay: string;
  readonly privateKey: string;
  readonly agent: LabAgent;
  readonly iceServers: readonly IceServer[];
  /** Whom to call. Undefined: waits to be called. */
  readonly call?: string | undefined;
}

interface Ping {
  readonly do: "ping";
  readonly id: number;
  readonly bytes: number;
}

const options = JSON.parse(process.argv[2] ?? "") as LabPeerOptions;
const privateKey = await parsePrivateKey(options.privateKey);
const agents: readonly Agent[] = [await labAgents[options.agent](options.iceServers)];
const backend = createBackend(nodeTransports().open(options.relay));
const peer = createPeer({ privateKey, backend, agents, accept: () => true });
/** The first byte of a message says which it is. */
const [isPing, isPong] = [1, 2];
const againMs = 300;

const say = (event: string, more: object = {}): void => console.log(JSON.stringify({ event, ...more }));
process.stdin.on("end", () => process.exit()).resume();

if (options.call === undefined) {
  for await (const { type } of peer.status()) if (type === "listening") break;
  say("ready");
  for await (const session of peer.incoming) void answer(session);
} else {
  const startMs = performance.now();
  const theirs = PublicKey.parse(options.call);
  void followVerdicts(theirs);
  const session = await peer.connect(theirs);
  await call(session, performance.now() - startMs);
}

async function answer(session: Session): Promise<void> {
  void follow(session);
  for await (const message of session) {
    if (message[0] !== isPing) continue;
    message[0] = isPong;
    await session.send(message);
  }
}

async function call(session: Session, connectMs: number): Promise<void> {
  void follow(session);
  say("connected", { connectMs: Math.round(connectMs), pair: await describePair(session) });
  const waiting = new Map<string, () => void>();
  createInterface({ input: process.stdin }).on("line", (line) => {
    void ping(session, waiting, JSON.parse(line) as Ping).catch((error: Error) =>
      say("error", { text: error.message }),
    );
  });
  for await (const message of session) waiting.get(nameOf(message))?.();
}

async function ping(session: Session, waiting: Map<string, () => void>, { id, bytes }: Ping): Promise<void> {
  const message = randomBytes(Math.min(bytes, session.maxMessageBytes));
  message[0] = isPing;
  const back = Promise.withResolvers<void>();
  waiting.set(nameOf(message), back.resolve);
  const startMs = performance.now();
  const send = (): void => void session.send(message.slice()).catch(() => {});
  send();
  // Datagrams may get lost.
  const timer = setInterval(send, againMs);
  await back.promise.finally(() => clearInterval(timer));
  waiting.delete(nameOf(message));
  say("pong", {
    id,
    bytes: message.length,
    ms: Math.round(performance.now() - startMs),
    pair: await describePair(session),
  });
}

/** All of it but what says whether it is there or back. */
function nameOf(message: Uint8Array): string {
  return Buffer.from(message.subarray(1)).toString("base64");
}

async function followVerdicts(theirs: PublicKey): Promise<void> {
  for await (const _ of peer.status()) {
    const { code, text } = peer.explain(theirs);
    say("verdict", { code, text });
  }
}

async function follow(session: Session): Promise<void> {
  for await (const { type } of session.status()) say("status", { type, timeline: session.timeline().slice(-8) });
}

async function describePair(session: Session): Promise<object | undefined> {
  return await session.selectedPair();
}
