/**
 * A cunīcu daemon as DESIGN 4 describes today's: it sends no headers, asks for credentials while it is idle, and starts all
 * over when ours change, throwing away those that made it.
 */

import { create } from "@bufbuild/protobuf";
import {
  type AgentConnection,
  type Clock,
  decodeMessage,
  type Envelope,
  type EnvelopeTransport,
  electRole,
  encodeMessage,
  type MessageInit,
  open,
  type PrivateKey,
  type PublicKey,
  seal,
} from "@wice/core";
import type { SeededRandom } from "@wice/core/testing";
import { readCandidate, writeCandidate } from "../../../src/agent/candidate.ts";
import { CredentialsSchema } from "../../../src/gen/cunicu/epdisc/epdisc_pb.ts";
import type { FakeAgent, FakeConnection } from "../../session/support/fake-agent.ts";

export interface FakeDaemon {
  readonly state: "idle" | "connecting" | "connected" | "gone";
  /** How often it has begun all over. */
  readonly restarts: number;
  /** What came over the connection. */
  readonly heard: readonly string[];
  say(text: string): void;
  /** Begins all over by itself. */
  restart(): void;
  /** The process is gone, without a word. */
  vanish(): void;
}

export interface FakeDaemonOptions {
  readonly key: PrivateKey;
  readonly theirs: PublicKey;
  readonly transport: EnvelopeTransport;
  readonly agent: FakeAgent;
  readonly clock: Clock;
  readonly random: SeededRandom;
  /** Keeps what it would send from leaving, by its number from 0. */
  readonly loses?: (index: number) => boolean;
}

interface Life {
  readonly ufrag: string;
  readonly pwd: string;
  readonly connection: AgentConnection<FakeConnection>;
  remote: { readonly ufrag: string; readonly pwd: string } | undefined;
  delayMs: number;
}

export function startDaemon(options: FakeDaemonOptions): FakeDaemon {
  const { key, theirs, transport, agent, clock, random, loses = () => false } = options;
  const pair = { ours: key, theirs };
  const stop = new AbortController();
  const heard: string[] = [];
  let life: Life | undefined;
  let state: FakeDaemon["state"] = "idle";
  let restarts = 0;
  let sent = 0;

  const send = async (message: MessageInit): Promise<void> => {
    const envelope = await seal(pair, encodeMessage(message), { random: random.bytes });
    const isLost = loses(sent);
    sent += 1;
    if (!isLost && state !== "gone") await transport.publish(envelope).catch(() => {});
  };
  const sendCredentials = (needCreds: boolean): void => {
    if (life !== undefined) {
      const { ufrag, pwd } = life;
      void send({ credentials: create(CredentialsSchema, { ufrag, pwd, needCreds }) });
    }
  };
  const begin = async (): Promise<void> => {
    if (state === "gone") return;
    life?.connection.close();
    life = undefined;
    state = "idle";
    const connection: AgentConnection<FakeConnection> = agent.connect({
      role: electRole(key.publicKey, theirs),
      bare: true,
      events: {
        onCandidate(candidate, of) {
          if (life?.ufrag === of && state !== "idle") void send({ candidate: writeCandidate(candidate) });
          else early.push(candidate);
        },
        onCandidatesComplete() {},
        onState(now) {
          if (life?.connection !== connection || state === "gone") return;
          if (now === "connected") state = "connected";
          if (now === "failed" || now === "closed") void begin();
        },
        onNegotiationNeeded() {},
        onChannel() {},
        onServerError() {},
      },
    });
    const early: Parameters<typeof writeCandidate>[0][] = [];
    restarts += 1;
    connection.main.handlers = { onMessage: (bytes) => heard.push(new TextDecoder().decode(bytes)) };
    const number = restarts;
    const { ufrag, pwd } = await connection.offer({ restart: false });
    if (restarts !== number) {
      connection.close();
      return;
    }
    life = { ufrag, pwd, connection, remote: undefined, delayMs: 500 };
    candidatesOf.set(connection, early);
    ask(life);
  };
  const candidatesOf = new Map<AgentConnection, Parameters<typeof writeCandidate>[0][]>();
  /** While it is idle, it asks; less and less often. */
  const ask = (mine: Life): void => {
    if (life !== mine || state !== "idle") return;
    sendCredentials(true);
    clock.schedule(mine.delayMs * (0.5 + random.number()), () => ask(mine));
    mine.delayMs = Math.min(60_000, mine.delayMs * 1.5);
  };
  const take = async (envelope: Envelope): Promise<void> => {
    const plaintext = await open(key, envelope).catch(() => undefined);
    if (plaintext === undefined || life === undefined || state === "gone") return;
    const { credentials, candidate } = decodeMessage(plaintext);
    const mine = life;
    if (credentials !== undefined) {
      const { ufrag, pwd, needCreds } = credentials;
      const { remote } = mine;
      if (remote !== undefined && (remote.ufrag !== ufrag || remote.pwd !== pwd)) {
        await begin();
        return;
      }
      if (state === "idle") {
        mine.remote = { ufrag, pwd };
        if (needCreds) sendCredentials(false);
        state = "connecting";
        await mine.connection.accept({ sdp: "", ufrag, pwd });
        for (const each of candidatesOf.get(mine.connection) ?? []) void send({ candidate: writeCandidate(each) });
        // An agent that finds nothing fails.
        clock.schedule(30_000, () => {
          if (life === mine && state === "connecting") void begin();
        });
      }
    }
    if (candidate !== undefined && state !== "idle") {
      const read = readCandidate(candidate);
      if (read !== undefined) mine.connection.addCandidates([read]);
    }
  };
  const listen = async (): Promise<void> => {
    for (;;) {
      try {
        const subscription = await transport.subscribe(key.publicKey, { signal: stop.signal });
        for await (const envelope of subscription) await take(envelope);
      } catch {
        if (stop.signal.aborted) return;
      }
      if (stop.signal.aborted) return;
      await new Promise<void>((resolve) => void clock.schedule(500, resolve));
    }
  };

  void listen();
  void begin();
  return {
    heard,
    get state() {
      return state;
    },
    get restarts() {
      return restarts;
    },
    say(text) {
      if (life?.connection.state === "connected") life.connection.main.send(new TextEncoder().encode(text));
    },
    restart: () => void begin(),
    vanish() {
      state = "gone";
      stop.abort();
      agent.kill();
    },
  };
}
