/** The relay: our signaling server. It moves sealed envelopes between those who know each other's public keys. */

import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer, isIPv6, type Server, type Socket } from "node:net";
import { createServer as createSecureServer, type TLSSocket } from "node:tls";
import { WiceError } from "@wice/core";
import { disposable } from "@wice/core/transport";
import { type Connection, createConnections } from "./connections.ts";
import { createCore } from "./core.ts";
import { createCors } from "./cors.ts";
import { createCounters, type RelayCounters, snapshot } from "./counters.ts";
import type { IceServer } from "./ice-servers.ts";
import { createLeanHandler } from "./lean/handler.ts";
import { longestTimerMs, type RelayLimits, resolveLimits } from "./limits.ts";
import { recognise } from "./preface.ts";
import { createRoutedHandler } from "./routed/handler.ts";
import { createHttpFront, headersTimeoutMs } from "./serve-http.ts";
import { endAllSubscriptions } from "./subscription.ts";

export interface RelayOptions {
  /** The address to listen on, IPv4 or IPv6; `0.0.0.0` or `::` for all. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** Default 0: a free port, see {@link Relay.port}. */
  readonly port?: number | undefined;
  /** Certificate chain and key in PEM. Without it the relay speaks plain HTTP, HTTP/1.1 and HTTP/2 (h2c). */
  readonly tls?: { readonly cert: string | Uint8Array; readonly key: string | Uint8Array } | undefined;
  /** The STUN and TURN servers that peers are told of. Default none. */
  readonly iceServers?: readonly IceServer[] | undefined;
  readonly limits?: Partial<RelayLimits> | undefined;
  /**
   * The origins whose pages may call the relay, for example `https://example.org`. Default: all, since no request
   * carries anything that a browser adds by itself. It keeps nobody out who is not a browser.
   */
  readonly origins?: readonly string[] | undefined;
  /**
   * How often a connection has to show that it is alive, in milliseconds: by answering an HTTP/2 PING, or the kernel's
   * keep-alive probes for HTTP/1.1. Default 30,000.
   */
  readonly pingIntervalMs?: number | undefined;
  /** Stops the relay, as {@link Relay.close} does. */
  readonly signal?: AbortSignal | undefined;
}

export interface CloseOptions {
  /** How long clients may take to receive what waits for them, in milliseconds. Default 5,000. */
  readonly graceMs?: number | undefined;
}

/** A relay that listens. Where the runtime has `Symbol.asyncDispose`, `await using` closes it. */
export interface Relay extends AsyncDisposable {
  /** What clients connect to, for example `http://127.0.0.1:49153`. */
  readonly url: string;
  /** The address that it listens on. */
  readonly address: string;
  readonly port: number;
  /** A snapshot. */
  counters(): RelayCounters;
  /**
   * Stops in order: takes no new connections and calls, ends every subscription with `Unavailable` once what waits for
   * it is written, closes connections; after `graceMs` whatever is left is cut. Idempotent; a later call with a shorter
   * time cuts earlier.
   */
  close(options?: CloseOptions): Promise<void>;
}

const defaultGraceMs = 5_000;

/**
 * Starts a relay; resolves when it listens.
 *
 * It serves upstream's `cunicu.signaling.Signaling` and `RelayRegistry`, and `wice.v1.Relay`, in gRPC, gRPC-Web and
 * Connect, over HTTP/1.1 and HTTP/2 on one port; health (`grpc.health.v1`, `GET /healthz`) and reflection as well. It
 * keeps nothing on disk and nothing for absent recipients.
 *
 * Rejects with `address-in-use` where it may not listen there, `invalid-file` for a certificate or key that does not
 * fit, `invalid-argument` for options out of range, and with the signal's reason.
 *
 * ```ts
 * const relay = await createRelay({ port: 8080 });
 * console.log(relay.url); // http://127.0.0.1:8080
 * await relay.close();
 * ```
 */
export async function createRelay(options: RelayOptions = {}): Promise<Relay> {
  const { host = "127.0.0.1", port = 0, tls, iceServers = [], origins, pingIntervalMs = 30_000, signal } = options;
  signal?.throwIfAborted();
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new WiceError("invalid-argument", "port must be between 0 and 65535");
  if (!(pingIntervalMs >= 100 && pingIntervalMs <= longestTimerMs)) {
    throw new WiceError("invalid-argument", `pingIntervalMs must be between 100 and ${longestTimerMs}`);
  }
  const limits = resolveLimits(options.limits);
  const counters = createCounters();
  const version = await readVersion();

  const cors = createCors(origins);
  const core = createCore(limits, counters);
  const connections = createConnections(limits, counters, pingIntervalMs);
  const lean = createLeanHandler(core);
  const routed = createRoutedHandler({ version, core, iceServers });
  const front = createHttpFront(core, connections, cors, lean, routed);

  // Half-open connections of HTTP/1.1 are for the kernel to find.
  const socketOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: pingIntervalMs };
  const server = tls === undefined ? createServer(socketOptions) : createTlsServer(socketOptions, tls);
  const handshakes = new Map<string, Connection>();
  server.on("connection", (socket: Socket) => {
    socket.on("error", () => {});
    // Accepted in the very turn in which the relay began to stop.
    if (core.draining) return void socket.destroy();
    const connection = connections.add(socket);
    if (connection === undefined) return;
    if (tls === undefined) {
      recognise(socket, headersTimeoutMs, (protocol) => front.serve(connection, protocol));
      return;
    }
    const name = endsOf(socket);
    handshakes.set(name, connection);
    socket.once("close", () => handshakes.delete(name));
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    socket.on("error", () => {});
    const name = endsOf(socket);
    const connection = handshakes.get(name);
    handshakes.delete(name);
    if (connection === undefined || core.draining) return void socket.destroy();
    connections.layer(connection, socket);
    front.serve(connection, socket.alpnProtocol === "h2" ? "http2" : "http1");
  });
  server.on("tlsClientError", () => {});

  const stop = (): void => {
    connections.stop();
    lean.stop();
    front.stop();
  };
  try {
    await listen(server, host, port, signal);
  } catch (error) {
    stop();
    throw error;
  }
  // A connection that could not be accepted is no reason to give up those that were.
  server.on("error", () => {});

  const cut = (): void => {
    for (const { session, socket } of connections.all()) {
      session?.destroy();
      socket.destroy();
    }
  };
  let closed: Promise<void> | undefined;

  /** Everything but the deadline. */
  const drain = async (): Promise<void> => {
    signal?.removeEventListener("abort", onAbort);
    core.draining = true;
    connections.stop();
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const { socket } of handshakes.values()) socket.destroy();
    front.announceEnd();
    await new Promise<void>((resolve) => setImmediate(resolve));
    core.admission.stop();
    endAllSubscriptions(core);
    routed.drain();
    front.finish();
    await stopped;
    await connections.gone();
    stop();
  };

  const close = async ({ graceMs = defaultGraceMs }: CloseOptions = {}): Promise<void> => {
    closed ??= drain();
    const deadline = setTimeout(cut, Math.min(graceMs, longestTimerMs));
    await closed.finally(() => clearTimeout(deadline));
  };
  const onAbort = (): void => void close();
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) {
    await close({ graceMs: 0 });
    throw signal.reason;
  }

  const bound = server.address() as AddressInfo;
  const relay: Omit<Relay, typeof Symbol.asyncDispose> = {
    url: `${tls === undefined ? "http" : "https"}://${urlHost(bound.address)}:${bound.port}`,
    address: bound.address,
    port: bound.port,
    counters: () => snapshot(counters),
    close,
  };
  return disposable<typeof relay>(relay);
}

/** What a socket and the layer of TLS upon it have in common. */
function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

function createTlsServer(socketOptions: object, tls: NonNullable<RelayOptions["tls"]>): Server {
  try {
    return createSecureServer({
      ...socketOptions,
      cert: pem("certificate", tls.cert),
      key: pem("key", tls.key),
      minVersion: "TLSv1.2",
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: 10_000,
    });
  } catch (cause) {
    throw new WiceError("invalid-file", "certificate and key must be PEM, unencrypted, and belong together", { cause });
  }
}

function pem(label: string, bytes: string | Uint8Array): string {
  const text = typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("latin1");
  if (!text.includes("-----BEGIN ")) throw new TypeError(`the ${label} is not PEM`);
  return text;
}

function listen(server: Server, host: string, port: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const settle = (): void => {
      server.off("error", onError);
      server.off("listening", onListening);
      signal?.removeEventListener("abort", onAbort);
    };
    const onError = (error: NodeJS.ErrnoException): void => {
      settle();
      reject(listenError(error, host, port));
    };
    const onListening = (): void => {
      settle();
      resolve();
    };
    const onAbort = (): void => {
      settle();
      server.close();
      reject(signal?.reason);
    };
    server.on("error", onError);
    server.on("listening", onListening);
    signal?.addEventListener("abort", onAbort, { once: true });
    server.listen({ host, port, backlog: 1_024 });
  });
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): WiceError {
  const where = `${urlHost(host)}:${port}`;
  switch (cause.code) {
    case "EADDRINUSE":
      return new WiceError(
        "address-in-use",
        `${where} is in use by another program; stop that one, or listen on another port`,
        { cause },
      );
    case "EACCES":
    case "EPERM":
      return new WiceError(
        "address-in-use",
        `not permitted to listen on ${where}; use a port of 1024 or above, or run with the right to use it`,
        { cause },
      );
    case "EADDRNOTAVAIL":
      return new WiceError(
        "address-in-use",
        `${host} is not an address of this machine; listen on 0.0.0.0 or :: for all addresses`,
        { cause },
      );
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EINVAL":
      return new WiceError("invalid-argument", `${host} is not an address to listen on; give an IPv4 or IPv6 address`, {
        cause,
      });
    default:
      return new WiceError("internal", `cannot listen on ${where}`, { cause });
  }
}

/** The host part of a URL that reaches the address. */
function urlHost(address: string): string {
  if (address === "0.0.0.0") return "127.0.0.1";
  if (address === "::") return "[::1]";
  return isIPv6(address) ? `[${address}]` : address;
}

/** From package.json, which lies two folders up both for sources and for what is published. */
async function readVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}
