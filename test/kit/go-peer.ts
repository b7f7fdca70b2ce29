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
