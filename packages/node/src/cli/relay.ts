/** `wice relay` */

import { isWiceError } from "@wice/core";
import { isOrigin } from "../relay/cors.ts";
import { createRelay } from "../relay/create-relay.ts";
import { type IceServer, parseIceServer } from "../relay/ice-servers.ts";
import { type Command, type Context, defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { type ListenAddress, parseListenAddress } from "./listen-address.ts";
import { parseCount } from "./number-option.ts";
import { readPemFile } from "./pem-file.ts";
import { UsageError } from "./usage-error.ts";

export const relay: Command = defineCommand({
  name: "relay",
  summary: "run a signaling server",
  positionals: [],
  options: {
    listen: {
      value: "HOST:PORT",
      help: "where to listen (127.0.0.1:8080); :8080 is every address of\nthe machine, [::1]:8080 is IPv6, localhost:0 is a free port",
    },
    "tls-cert": { value: "FILE", help: "the certificate chain, PEM; with it the relay speaks TLS" },
    "tls-key": { value: "FILE", help: "the key of the certificate, PEM" },
    turn: {
      value: "URL",
      multiple: true,
      help: "a STUN or TURN server for peers to use; may be repeated:\nstun:HOST[:PORT]\nturn:USER:PASSWORD@HOST[:PORT][?transport=udp]\nturn:HOST[:PORT]?secret=SECRET&ttl=1h (TURN REST API)",
    },
    origin: {
      value: "URL",
      multiple: true,
      help: "a web site whose pages may use the relay; may be repeated:\nhttps://example.org. Without it, all may",
    },
    "max-envelope-bytes": { value: "N", help: "the largest envelope to take (65536)" },
    json: { help: "print what happens as lines of JSON" },
  },
  about: [
    "Carries sealed envelopes between peers that know each other's public key. It\ncannot read them, and keeps nothing on disk. Peers reach it by the URL that it\nprints; cunīcu daemons write grpc://HOST:PORT?insecure=true, or grpcs://HOST:PORT\nwith TLS.",
    "Web pages reach it by the same URL. A page that came by https needs a relay with\nTLS, unless both are on one machine. --origin keeps out the pages of other sites,\nand nobody else.",
    "SIGINT and SIGTERM stop it in order: peers are told, and what is under way is\nfinished. A second one stops it at once.",
  ],
  examples: [
    "wice relay --listen :8080",
    "wice relay --listen :443 --tls-cert chain.pem --tls-key key.pem \\",
    "  --turn stun:stun.example.org:3478 --origin https://example.org",
  ],
  async run(invocation) {
    const { options, signal } = invocation;
    const address = parseListenAddress(options.listen ?? "127.0.0.1:8080");
    const maxEnvelopeBytes = parseCount("max-envelope-bytes", options["max-envelope-bytes"]);
    const iceServers = options.turn.map(readTurn);
    const origins = options.origin.length === 0 ? undefined : options.origin.map(readOrigin);
    const tls = await readTls(options["tls-cert"], options["tls-key"], signal);
    return await serve(invocation, options.json ? jsonLog : textLog, address, (host) =>
      createRelay({
        host,
        port: address.port,
        tls,
        iceServers,
        origins,
        limits: { ...(maxEnvelopeBytes !== undefined && { maxEnvelopeBytes }) },
      }),
    );
  },
});

type Relay = Awaited<ReturnType<typeof createRelay>>;

/** What is said when the relay listens, when it is asked to stop, and when it has stopped. */
interface Log {
  listening(context: Context, relay: Relay): Promise<void>;
  stopping(context: Context, relay: Relay): Promise<void>;
  stopped(context: Context, relay: Relay): Promise<void>;
}

async function serve(
  context: Context,
  log: Log,
  address: ListenAddress,
  create: (host: string) => Promise<Relay>,
): Promise<number> {
  const { signal } = context;
  const running = await listen(address, create);
  // A log that nobody reads is no reason to stop.
  await log.listening(context, running).catch(() => {});
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  await log.stopping(context, running).catch(() => {});
  await running.close();
  await log.stopped(context, running).catch(() => {});
  return exitCode.ok;
}

/** All addresses are both families, where the machine has both. */
async function listen({ host }: ListenAddress, create: (host: string) => Promise<Relay>): Promise<Relay> {
  if (host !== undefined) return await create(host);
  try {
    return await create("::");
  } catch (error) {
    if (isWiceError(error) && isMissingFamily(error.cause)) return await create("0.0.0.0");
    throw error;
  }
}

function isMissingFamily(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && ["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(String(cause.code));
}

const textLog: Log = {
  async listening({ out }, { url, address }) {
    const everywhere = address === "::" || address === "0.0.0.0";
    await out.line(
      `listening on ${out.style.bold(url)}${everywhere ? " and every other address of this machine" : ""}`,
    );
  },
  async stopping({ notes }, relay) {
    const { subscriptions, connections } = relay.counters();
    await notes.line(
      `stopping: ${count(connections, "connection")}, ${count(subscriptions, "subscription")}; a second signal stops at once`,
    );
  },
  async stopped({ notes }, relay) {
    const { published, delivered } = relay.counters();
    await notes.line(`stopped: ${count(published, "envelope")} taken, ${delivered} handed to subscribers`);
  },
};

const jsonLog: Log = {
  listening: ({ out }, { url, address, port }) => out.line(entry("listening", { url, address, port })),
  stopping: ({ out }, relay) => out.line(entry("stopping", { counters: relay.counters() })),
  stopped: ({ out }, relay) => out.line(entry("stopped", { counters: relay.counters() })),
};

function entry(event: string, fields: object): string {
  return JSON.stringify({ time: new Date().toISOString(), event, ...fields });
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function readTurn(url: string): IceServer {
  try {
    return parseIceServer(url);
  } catch (error) {
    throw new UsageError(`--turn: ${error instanceof Error ? error.message : "not a URL"}`);
  }
}

function readOrigin(text: string): string {
  if (isOrigin(text)) return text;
  throw new UsageError("--origin: write scheme, host and port as browsers do, https://example.org, without a path");
}

async function readTls(
  cert: string | undefined,
  key: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly cert: string; readonly key: string } | undefined> {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new UsageError("--tls-cert and --tls-key go together");
  return { cert: await readPemFile("--tls-cert", cert, signal), key: await readPemFile("--tls-key", key, signal) };
}
