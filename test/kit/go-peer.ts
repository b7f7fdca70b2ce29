/** The Go peer of test/go as an object: commands out, events in. */

import { type LineEvent, type LinesProcess, spawnLines } from "./lines-process.ts";

export interface GoPeer extends LinesProcess {
  /**
   * Runs a command; resolves with its result, rejects with an error whose `code` is the gRPC code as
   * grpc-go saw it: `"Unavailable"`. test/go documents the commands.
   */
  run<Result = unknown>(command: string, args?: object, options?: { readonly timeoutMs?: number }): Promise<Result>;
  /** What a daemon would have logged as an error, panics and failed starts included. Must stay empty. */
  readonly complaints: readonly string[];
  /** Versions of the Go modules in it. */
  readonly modules: Readonly<Record<string, string>>;
}

export interface GoServer extends GoPeer {
  /** host:port */
  readonly address: string;
  readonly port: number;
  /** Its own, in PEM, with TLS. */
  readonly certificate: string | undefined;
}

/** A command that failed. */
class GoError extends Error {
  override readonly name = "GoError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A message as the Go client opened it: protobuf JSON, with enumerations as numbers. */
export interface GoMessage extends LineEvent {
  readonly from: string;
  readonly to: string;
  readonly message: {
    readonly credentials?: { readonly ufrag?: string; readonly pwd?: string; readonly needCreds?: boolean };
    readonly candidate?: Readonly<Record<string, unknown>>;
    readonly peer?: Readonly<Record<string, unknown>>;
    readonly pske?: { readonly publicKey?: string; readonly cipherText?: string };
  };
  /** Bytes of fields that it does not know. */
  readonly unknownBytes: number;
  readonly envelopeUnknownBytes: number;
}

/** What the command `raw` tells: the end of a call as grpc-go sees it. Bytes are base64. */
export interface RawResult {
  readonly code: string;
  readonly message: string;
  readonly answers: readonly string[] | null;
  readonly header: Readonly<Record<string, readonly string[]>> | null;
  readonly trailer: Readonly<Record<string, readonly string[]>> | null;
}

/** Starts `gopeer client` and does not wait for its connection; `until("ready")` does. */
export async function startGoClient(binary: string, target: string, flags: readonly string[] = []): Promise<GoPeer> {
  return startGo(binary, ["client", `--target=${target}`, ...flags]);
}

export interface GoDaemonOptions {
  /** host:port of the relay. */
  readonly target: string;
  /** Private; base64. */
  readonly key: string;
  /** The public key of the one peer that it has. */
  readonly peer: string;
  /** STUN and TURN servers, credentials behind a "#": `turn:192.0.2.1:3478?transport=udp#user:password`. */
  readonly urls?: readonly string[] | undefined;
  /** Messages that get lost, as test/go/daemon_losses.go names them: `sent:answer:1`, `received:candidate:2`. */
  readonly lose?: readonly string[] | undefined;
  /** How long a restart has no agent but the dead one. Default 20. */
  readonly restartGapMs?: number | undefined;
  /** Sends back what comes. Default false: two that do never end. */
  readonly echo?: boolean | undefined;
  /** Uses addresses of the loopback interface, too. Default true: a test need not have any other. */
  readonly loopback?: boolean | undefined;
}

/** What a daemon has said or heard: `numbers` counts from 1, each way and kind. */
export interface GoSignal extends LineEvent {
  readonly way: "sent" | "received";
  readonly numbers: Readonly<
    Partial<Record<"message" | "credentials" | "need" | "answer" | "candidate", number | undefined>>
  >;
  readonly lost: boolean;
  /** Of its credentials, or "". */
  readonly ufrag: string;
  /** By its own clock, from its start. */
  readonly atMs: number;
}

/**
 * Starts `gopeer daemon`, an emulation of a cunīcu daemon: test/go/daemon.go says what it does. Its events are `state`, `signal`,
 * `candidate`, `pair` and `data`; its commands `restart` and `send`.
 */
export async function startGoDaemon(binary: string, options: GoDaemonOptions): Promise<GoPeer> {
  return startGo(binary, goDaemonArgs(options));
}

/** The command line of that, for those who start it elsewhere. */
export function goDaemonArgs(options: GoDaemonOptions): readonly string[] {
  const { target, key, peer, urls = [], lose = [], restartGapMs = 20, echo = false, loopback = true } = options;
  return [
    ...["daemon", `--target=${target}`, `--key=${key}`, `--peer=${peer}`, `--restart-gap=${restartGapMs}ms`],
    ...[`--echo=${echo}`, `--loopback=${loopback}`],
    ...urls.map((url) => `--url=${url}`),
    ...lose.map((message) => `--lose=${message}`),
  ];
}

/** Starts `gopeer server` and waits until it listens. */
export async function startGoServer(binary: string, flags: readonly string[] = []): Promise<GoServer> {
  return untilReady(await startGo(binary, ["server", ...flags]));
}

/** Starts `gopeer registry`, which speaks gRPC, gRPC-Web and Connect, and waits until it listens. */
export async function startGoRegistry(binary: string): Promise<GoServer> {
  return untilReady(await startGo(binary, ["registry"]));
}

async function untilReady(peer: GoPeer): Promise<GoServer> {
  const [ready] = await peer.until("ready");
  const { address, certificate } = ready as LineEvent & { address: string; certificate?: string };
  return Object.defineProperties(peer, {
    address: { value: address },
    port: { value: Number(address.slice(address.lastIndexOf(":") + 1)) },
    certificate: { value: certificate },
  }) as GoServer;
}

async function startGo(binary: string, args: readonly string[]): Promise<GoPeer> {
  const child = await spawnLines(binary, args);
  const [start] = await child.until("start");
  let lastId = 0;
  const extension: Pick<GoPeer, "run" | "complaints" | "modules"> = {
    modules: start?.modules as Record<string, string>,
    get complaints() {
      const logged = child.find("log", ({ level }) => level === "error" || level === "fatal");
      const lines = logged.map(({ text, error }) => (error === undefined ? `${text}` : `${text}: ${error}`));
      return child.stderr === "" ? lines : [...lines, child.stderr];
    },
    async run<Result>(command: string, args: object = {}, { timeoutMs = 40_000 } = {}): Promise<Result> {
      const id = ++lastId;
      child.write({ ...args, id, do: command });
      const [reply] = await child.until("reply", (line) => line.id === id, { timeoutMs });
      if (reply?.ok !== true) throw new GoError(String(reply?.code), `${command}: ${reply?.error}`);
      return reply.result as Result;
    },
  };
  return Object.defineProperties(child, Object.getOwnPropertyDescriptors(extension)) as GoPeer;
}
