/** Everything that is not on the hot path, served by the generic Connect router. */

import { type Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { arch, platform } from "node:os";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { publicKeyFlaw } from "@wice/core";
import { Relay, RelayRegistry, Signaling } from "@wice/core/wire";
import { trailersOf } from "./grpc-status.ts";
import { credentialsFor, type IceServer } from "./ice-servers.ts";
import type { RelayLimits } from "./limits.ts";

export interface ServiceContext {
  readonly version: string;
  readonly limits: RelayLimits;
  readonly iceServers: readonly IceServer[];
}

export type RequestHandler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** Optional behaviour that clients may look for. */
const capabilities = ["heartbeat", "subscribers"];

/** Requests of these services hold a key at most. */
const maxRequestBytes = 4_096;

export function createServices(context: ServiceContext): RequestHandler {
  const serve = connectNodeAdapter({
    grpcWeb: false,
    connect: false,
    readMaxBytes: maxRequestBytes,
    routes: (router) => addRoutes(router, context),
    fallback: answerUnknown,
  });
  return (request, response) => {
    // The router takes the URL apart, which throws for some that a stranger may send.
    try {
      serve(request, response);
    } catch {
      response.writeHead(400).end();
    }
  };
}

function addRoutes(router: ConnectRouter, { version, limits, iceServers }: ServiceContext): void {
  // Publish and Subscribe in other encodings than binary gRPC are not implemented, and the router says so.
  router.service(Signaling, { getBuildInfo: () => ({ version, os: goPlatform(), arch: goArchitecture() }) });
  router.service(Relay, {
    getServerInfo: () => ({
      version,
      capabilities,
      limits: {
        maxEnvelopeBytes: asUint32(limits.maxEnvelopeBytes),
        maxQueuedEnvelopes: asUint32(limits.maxQueuedEnvelopes),
      },
    }),
  });
  router.service(RelayRegistry, {
    getRelays: ({ publicKey }) => {
      const flaw = publicKeyFlaw(publicKey);
      if (flaw !== undefined) throw new ConnectError(`public_key: ${flaw}`, Code.InvalidArgument);
      const name = Buffer.from(publicKey).toString("base64");
      const nowUnix = Date.now() / 1_000;
      return {
        relays: iceServers.map((server) => {
          const { expiresUnix, ...credentials } = credentialsFor(server, name, nowUnix);
          return {
            url: server.url,
            ...credentials,
            ...(expiresUnix === undefined ? {} : { expires: { seconds: expiresUnix } }),
          };
        }),
      };
    },
  });
}

/** gRPC wants a status even for services that nobody knows. */
const answerUnknown: NonNullable<Parameters<typeof connectNodeAdapter>[0]["fallback"]> = (request, response) => {
  const contentType = request.headers["content-type"] ?? "";
  const answer: unknown = response;
  const speaksGrpc = request.method === "POST" && /^application\/grpc(\+|;|$)/.test(contentType);
  if (speaksGrpc && answer instanceof Http2ServerResponse) {
    // Trailers only, in the very frame that ends the stream: grpc-go does not look for a status anywhere else.
    const status = trailersOf({ code: "unimplemented", message: "unknown method" });
    answer.stream.respond({ ":status": 200, "content-type": contentType, ...status }, { endStream: true });
    return;
  }
  response.writeHead(404);
  response.end();
};

function asUint32(value: number): number {
  return Math.min(Math.floor(value), 0xffff_ffff);
}

/** BuildInfo is shared with Go programs; theirs are the names. */
function goPlatform(): string {
  const name = platform();
  return name === "win32" ? "windows" : name;
}

function goArchitecture(): string {
  const names: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
  return names[arch()] ?? arch();
}
