/** Two peers in a laboratory, and the session between them. */

import { fileURLToPath } from "node:url";
import type { IceServer, SelectedPair, VerdictCode } from "@wice/core";
import { goDaemonArgs } from "../go-peer.ts";
import type { LinesProcess } from "../lines-process.ts";
import { orderedKeys } from "../ordered-keys.ts";
import type { Machine } from "./lab.ts";
import type { LabAgent } from "./lab-agents.ts";
import type { LabPeerOptions } from "./lab-program.ts";

export interface LabPeersOptions {
  readonly agent: LabAgent;
  readonly relay: string;
  readonly iceServers: readonly IceServer[];
  /** Whom both trust, beside those whom everybody trusts. */
  readonly caFile: string;
  /** Who calls. */
  readonly left: Machine;
  readonly right: Machine;
  /** The Go peer's binary: its daemon, which is called then in place of a peer of ours. */
  readonly daemon?: string | undefined;
}

export interface LabPeers {
  /** Resolves when they are connected. */
  untilConnected(): Promise<Connected>;
  /** Resolves when the caller explains with that code why it is not connected, with the words. */
  untilVerdict(code: VerdictCode): Promise<string>;
  /** Sends something there and back, once they are connected. */
  ping(bytes: number, timeoutMs?: number): Promise<Pong>;
}

export interface Connected {
  /** From the call to a session. */
  readonly connectMs: number;
  readonly pair: SelectedPair | undefined;
}

export interface Pong {
  readonly bytes: number;
  readonly ms: number;
  /** The one in use now. */
  readonly pair: SelectedPair | undefined;
}

const connectTimeoutMs = 180_000;
const compileCache = fileURLToPath(new URL("../../../.cache/node", import.meta.url));

/** Starts both. The caller calls when the other listens. */
export async function startPeers(options: LabPeersOptions): Promise<LabPeers> {
  const { agent, relay, iceServers, caFile, left, right, daemon } = options;
  const [ours, theirs] = orderedKeys();
  const common = { agent, relay, iceServers };
  // Of Node and of Go.
  const trust = { NODE_EXTRA_CA_CERTS: caFile, SSL_CERT_FILE: caFile };
  const listener =
    daemon === undefined
      ? await startNode(
          right,
          "./lab-program.ts",
          [JSON.stringify({ ...common, privateKey: theirs.privateKey } satisfies LabPeerOptions)],
          trust,
        )
      : await right.start(
          daemon,
          goDaemonArgs({
            ...{
              target: new URL(relay).host,
              key: theirs.privateKey,
              peer: ours.publicKey,
              echo: true,
              loopback: false,
            },
            urls: iceServers.map(toGoUrl),
          }),
          { env: { ...process.env, ...trust } },
        );
  await listener.until("ready");
  const caller = await startNode(
    left,
    "./lab-program.ts",
    [JSON.stringify({ ...common, privateKey: ours.privateKey, call: theirs.publicKey } satisfies LabPeerOptions)],
    trust,
  );
  let pings = 0;
  return {
    async untilConnected() {
      const [connected] = await caller.until("connected", undefined, { timeoutMs: connectTimeoutMs });
      return connected as unknown as Connected;
    },
    async untilVerdict(code) {
      const [verdict] = await caller.until("verdict", (line) => line.code === code, { timeoutMs: connectTimeoutMs });
      return String(verdict?.text);
    },
    async ping(bytes, timeoutMs = 20_000) {
      pings += 1;
      const id = pings;
      caller.write({ do: "ping", id, bytes });
      const [pong] = await caller.until("pong", (line) => line.id === id, { timeoutMs });
      return pong as unknown as Pong;
    },
  };
}

function toGoUrl({ urls, username, credential }: IceServer): string {
  return username === undefined ? `${urls}` : `${urls}#${username}:${credential}`;
}

/** Starts a program of this folder, on the sources. */
export async function startNode(
  machine: Machine,
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<LinesProcess> {
  const program = fileURLToPath(new URL(file, import.meta.url));
  return await machine.start(process.execPath, ["--conditions=@wice/source", program, ...args], {
    env: { ...process.env, NODE_OPTIONS: undefined, NODE_COMPILE_CACHE: compileCache, ...env },
  });
}
