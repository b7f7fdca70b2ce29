/** Options of the commands that have sessions, and what they mean. */

import { type Agent, type IceServer, type PeerConnectionLike, type PublicKey, WiceError } from "@wice/core";
import { type DatagramNative, datagram } from "../datagram/index.ts";
import { credentialsFor, type IceServer as NamedServer, parseIceServer } from "../relay/ice-servers.ts";
import { relayIceServers } from "../relay-ice-servers.ts";
import { nodeRtc } from "../rtc-agent.ts";
import { registryOf } from "./open-signaling.ts";
import { readPemFile } from "./pem-file.ts";
import { UsageError } from "./usage-error.ts";

export const sessionOptions = {
  stun: {
    value: "HOST[:PORT]",
    multiple: true,
    help: "a STUN server; may be repeated. Without --stun and --turn the\nrelay is asked which servers there are",
  },
  turn: {
    value: "URL",
    multiple: true,
    help: "a TURN server; may be repeated:\nturn:USER:PASSWORD@HOST[:PORT][?transport=udp]",
  },
  agent: {
    value: "NAME",
    help: "rtc (WebRTC by node-datachannel) or datagram (plain UDP);\ndefault: both, rtc first, and with --udp datagram first",
  },
  udp: {
    value: "[PORT:]HOST:PORT",
    help: "carry the datagrams of a program, not stdin and stdout:\nwhat the peer sends goes to HOST:PORT, what the program\nsends to the first PORT (printed; any free one) to the peer.\nNothing is added for protection",
  },
  json: { help: "what happens, as lines of JSON on stderr" },
} as const;

export interface AgentChoice {
  readonly stun: readonly string[];
  readonly turn: readonly string[];
  readonly agent: string | undefined;
  readonly udp: string | undefined;
  readonly relay: string | undefined;
  readonly backend: readonly string[];
  readonly ca: string | undefined;
}

/** Throws a usage error for what nobody knows. */
export async function openAgents(
  { stun, turn, agent, udp, relay, backend, ca }: AgentChoice,
  publicKey: PublicKey,
  signal: AbortSignal,
): Promise<readonly Agent<PeerConnectionLike | DatagramNative>[]> {
  if (agent !== undefined && agent !== "rtc" && agent !== "datagram")
    throw new UsageError("--agent: there are rtc and datagram");
  const named = [
    ...stun.map((host) => readServer("--stun", host.startsWith("stun:") ? host : `stun:${host}`)),
    ...turn.map((url) => readServer("--turn", url)),
  ];
  const registry = registryOf({ relay, backend });
  const iceServers =
    named.length > 0 || registry === undefined
      ? named.map((server) => toIceServer(server, publicKey))
      : relayIceServers({
          relay: registry,
          publicKey,
          ...(ca !== undefined && { ca: await readPemFile("--ca", ca, signal) }),
        });
  // What --udp carries protects itself; a stream does not.
  const plain = datagram({ iceServers, protect: udp === undefined, daemons: udp !== undefined });
  if (agent === "datagram") return [plain];
  if (agent === "rtc") return [await nodeRtc({ iceServers }).catch(adviseInstallation)];
  if (udp === undefined) return [await nodeRtc({ iceServers }).catch(adviseInstallation), plain];
  const rtc = await nodeRtc({ iceServers }).catch(() => undefined);
  return rtc === undefined ? [plain] : [plain, rtc];
}

function readServer(option: string, url: string): NamedServer {
  try {
    return parseIceServer(url);
  } catch (error) {
    throw new UsageError(`${option}: ${error instanceof Error ? error.message : "not a server"}`);
  }
}

function toIceServer(server: NamedServer, publicKey: PublicKey): IceServer {
  const { username, password } = credentialsFor(server, publicKey.toString(), Date.now() / 1_000);
  return {
    urls: server.url,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { credential: password }),
  };
}

function adviseInstallation(error: unknown): never {
  if (!(error instanceof WiceError)) throw error;
  throw new WiceError(error.code, `${error.message}, beside @wice/node; or use --agent datagram`, { cause: error });
}
