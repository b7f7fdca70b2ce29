/** Everything that is not on the lean path, served by the generic Connect router, in every encoding that it has. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { type Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { arch, platform } from "node:os";
import { toBinary } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { publicKeyFlaw } from "@wice/core";
import { EnvelopeSchema, Relay, RelayRegistry, Signaling } from "@wice/core/wire";
import type { AddressState } from "./connections.ts";
import type { RelayCore } from "./core.ts";
import { frameMessage } from "./frames.ts";
import { trailersOf } from "./grpc-status.ts";
import { credentialsFor, type IceServer } from "./ice-servers.ts";
import { methodPaths, type Origin } from "./lean/handler.ts";
import { longestTimerMs } from "./limits.ts";
import { connectError } from "./routed-status.ts";
import { routedSubscription } from "./routed-subscription.ts";
import type { Status } from "./status.ts";
import { checkKeys, checkListen, maxListenBytes, type SubscriptionRequest } from "./subscription.ts";

export interface ServiceContext {
  readonly version: string;
  readonly core: RelayCore;
  readonly iceServers: readonly IceServer[];
}

export interface Services {
  handle(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    from: Origin,
  ): void;
  /** Ends what would go on for ever. */
  drain(): void;
}

/** Optional behaviour that clients may look for. */
const capabilities = ["heartbeat", "subscribers", "listen"];

/** Requests of the other services hold a key at most. */
const maxRequestBytes = 4_096;

const addressKey = /* @__PURE__ */ createContextKey<AddressState>({
  connections: 0,
  subscriptions: 0,
  bucket: { used: 0, atMs: 0 },
});

export function createServices(context: ServiceContext): Services {
  const { limits } = context.core;
  const origins = new WeakMap<object, Origin>();
  const serve = connectNodeAdapter({
    readMaxBytes: maxRequestBytes,
    routes: (router) => addRoutes(router, context),
    fallback: answerUnknown,
    contextValues(request) {
      const origin = origins.get(request);
      return origin === undefined ? createContextValues() : createContextValues().set(addressKey, origin.address);
    },
  });
  return {
    handle(request, response, from) {
      origins.set(request, from);
      for (const [name, value] of Object.entries(from.cors ?? {}))
        if (value !== undefined && value !== null) response.setHeader(name, value);
      if (!("stream" in response)) {
        if (isStream(request)) response.shouldKeepAlive = false;
      } else {
        // Whoever takes longer than for a Publish does not mean it well; streams go on once their request is there.
        const { stream } = response;
        stream.setTimeout(limits.maxRequestMs, () => stream.close(0x8));
        if (isStream(request)) request.once("end", () => stream.setTimeout(0));
      }
      if (request.url === "/healthz" && (request.method === "GET" || request.method === "HEAD")) {
        response.setHeader("content-type", "text/plain");
        response.setHeader("cache-control", "no-store");
        response.end("ok\n");
        return;
      }
      // The router takes the URL apart, which throws for some that a stranger may send.
      try {
        serve(request, response);
      } catch {
        response.statusCode = 400;
        response.end();
      }
    },
    drain() {},
  };
}

/** Whether the answer may go on for ever. */
function isStream({ url = "" }: IncomingMessage | Http2ServerRequest): boolean {
  const method = methodPaths.get(url.split("?")[0] ?? "");
  return method === "subscribe" || method === "listen";
}

function addRoutes(router: ConnectRouter, context: ServiceContext): void {
  const { version, core, iceServers } = context;
  const { limits } = core;
  // JSON has a third more bytes for the same, and the names of the fields.
  const readMaxBytes = Math.min(
    1_024 + Math.ceil(1.5 * Math.max(limits.maxEnvelopeBytes, maxListenBytes(limits))),
    longestTimerMs,
  );
  router.service(
    Signaling,
    {
      getBuildInfo: () => ({ version, os: goPlatform(), arch: goArchitecture() }),
      publish(envelope, { values }) {
        const message = toBinary(EnvelopeSchema, envelope);
        if (message.length > limits.maxEnvelopeBytes) {
          throw refusal(core, {
            code: "resource-exhausted",
            message: `larger than ${limits.maxEnvelopeBytes} bytes`,
            retryAfterMs: -1,
          });
        }
        const result = core.publish(frameMessage(message), values.get(addressKey));
        if (typeof result !== "number") throw refusal(core, result);
        return { subscribers: result };
      },
      subscribe: ({ key, heartbeatMs }, call) => envelopes(core, checkKeys([key], heartbeatMs), call),
    },
    { readMaxBytes },
  );
  router.service(
    Relay,
    {
      getServerInfo: () => ({
        version,
        capabilities,
        limits: {
          maxEnvelopeBytes: asUint32(limits.maxEnvelopeBytes),
          maxQueuedEnvelopes: asUint32(limits.maxQueuedEnvelopes),
          maxKeysPerListen: asUint32(limits.maxKeysPerListen),
        },
      }),
      listen: ({ keys, heartbeatMs }, call) => envelopes(core, checkListen(keys, heartbeatMs, limits), call),
    },
    { readMaxBytes },
  );
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

function envelopes(
  core: RelayCore,
  request: SubscriptionRequest | string,
  { values, signal }: HandlerContext,
): ReturnType<typeof routedSubscription> {
  if (typeof request === "string") throw refusal(core, { code: "invalid-argument", message: request });
  return routedSubscription(core, request, values.get(addressKey), signal);
}

function refusal(core: RelayCore, status: Status): ConnectError {
  core.counters.refused[status.code]++;
  return connectError(status);
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
