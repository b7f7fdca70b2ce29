/** Everything that is not on the lean path: the generic router of Connect, in every protocol and encoding that it has. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { type DescMessage, fromBinary, fromJsonString } from "@bufbuild/protobuf";
import { type ConnectError, type ConnectRouter, createConnectRouter, createContextValues } from "@connectrpc/connect";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { Relay, RelayRegistry, Signaling } from "@wice/core/wire";
import type { RelayCore } from "../core.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { trailersOf } from "../grpc-status.ts";
import type { IceServer } from "../ice-servers.ts";
import { maxMessageBytes, methodPaths, type Origin } from "../lean/handler.ts";
import { longestTimerMs } from "../limits.ts";
import { callBytes, charge } from "../pending.ts";
import {
  connectStreamHeaders,
  connectUnaryHeaders,
  grpcHeaders,
  isCompressed,
  type RequestHeaders,
} from "../request-headers.ts";
import { receiveBody } from "./body.ts";
import { callerKey } from "./caller.ts";
import { encodings } from "./decompress.ts";
import { addHealth } from "./health.ts";
import { addReflection } from "./reflection.ts";
import { addRelayRegistry } from "./relay-registry.ts";
import { addSignaling } from "./signaling.ts";
import { connectError } from "./status.ts";
import { writeResponse } from "./write-response.ts";

export interface RoutedContext {
  readonly version: string;
  readonly core: RelayCore;
  readonly iceServers: readonly IceServer[];
}

export interface RoutedHandler {
  handle(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    from: Origin,
  ): void;
  /** Whether the request is answered even while the relay stops. */
  isHealthCheck(path: string | undefined): boolean;
  /** Tells those who watch the health that the relay stops, and ends their streams. */
  drain(): void;
}

type UniversalHandler = ConnectRouter["handlers"][number];

/** Requests of services that peers do not signal by hold a key or a name. */
const maxRequestBytes = 4_096;

/** How much the client of a stream in both directions may send altogether. */
const maxStreamBytes = 16_384;

const healthPath = "/healthz";

export function createRoutedHandler({ version, core, iceServers }: RoutedContext): RoutedHandler {
  const { limits } = core;
  const stopping = new AbortController();
  const router = createConnectRouter({
    acceptCompression: [compressionGzip, compressionBrotli],
    // Envelopes are sealed, which leaves nothing to compress, and the rest is small.
    compressMinBytes: Number.MAX_SAFE_INTEGER,
  });
  const services = [Signaling, RelayRegistry, Relay, Health];
  addSignaling(router, core, version);
  addRelayRegistry(router, iceServers);
  addHealth(router, core, new Set(services.map(({ typeName }) => typeName)), stopping.signal);
  addReflection(router, services, maxStreamBytes);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  const serve = async (handler: UniversalHandler, call: RoutedCall): Promise<void> => {
    const { request, response, from, closed } = call;
    const { headers, method = "", httpVersion, url = "" } = request;
    const { requestPath, method: rpc } = handler;
    const contentType = headers["content-type"] ?? "";
    const protocol = protocolOf(contentType);
    const timeoutMs = protocol.deadlineMs(headers);
    const signaling = methodPaths.get(requestPath);
    const isJson = /[+/]json/i.test(contentType);
    const flaw = headerFlaw(headers, protocol, timeoutMs);
    const isStream = rpc.methodKind === "bidi_streaming";
    const maxBytes = signaling === undefined ? maxRequestBytes : maxMessageBytes(signaling, limits);
    const body = receiveBody(request, {
      limits,
      address: from.address,
      shape: isStream ? "stream" : protocol === connectUnaryHeaders ? "bare" : "message",
      // JSON has a third more bytes for the same, and the names of the fields.
      maxBytes: isStream ? maxStreamBytes : isJson ? 1_024 + Math.ceil(1.5 * maxBytes) : maxBytes,
      timeoutMs: Math.min(typeof timeoutMs === "number" ? timeoutMs : 0, limits.maxRequestMs),
      encoding: isCompressed(headers, protocol) ? String(headers[protocol.encoding]) : undefined,
      isReadable: (message) => isReadable(rpc.input, message, isJson),
      flaw: flaw ?? call.flaw,
      stopping: stopping.signal,
      onRefused(status) {
        if (signaling !== undefined) core.counters.refused[status.code]++;
      },
    });
    response.once("close", body.stop);
    if (rpc.methodKind === "server_streaming") {
      if (!(response instanceof Http2ServerResponse)) response.shouldKeepAlive = false;
      response.setHeader("cache-control", "no-store, no-transform");
      response.setHeader("x-accel-buffering", "no");
    }
    try {
      const answer = await handler({
        httpVersion,
        method,
        // Nobody takes it apart but for its query, which no method of ours has.
        url: new URL(url, "http://relay").href,
        header: webHeaders(headers, isStream && flaw === undefined ? undefined : protocol),
        body: body.pieces,
        signal: closed,
        contextValues: createContextValues().set(callerKey, {
          address: from.address,
          deadlineMs: performance.now() + (typeof timeoutMs === "number" ? timeoutMs : 0),
        }),
      });
      await writeResponse(answer, request, response, closed);
    } catch {
      // The client went away in the middle of its answer.
      cut(response);
    }
  };

  return {
    handle(request, response, from) {
      const path = pathOf(request.url ?? "");
      const handler = handlers.get(path);
      const call = openCall(core, request, response, from, handler?.method.methodKind === "server_streaming");
      if (handler !== undefined) void serve(handler, call);
      else if (path === healthPath && (request.method === "GET" || request.method === "HEAD")) {
        answerHealth(response, core.draining);
      } else answerUnknown(request, response);
    },
    isHealthCheck: (path = "") => path === healthPath || handlers.get(path)?.service === Health,
    drain: () => stopping.abort(),
  };
}

/** A request on its way through the router. */
interface RoutedCall {
  readonly request: IncomingMessage | Http2ServerRequest;
  readonly response: ServerResponse | Http2ServerResponse;
  readonly from: Origin;
  /** Aborts when nothing can be answered any more. */
  readonly closed: AbortSignal;
  /** Its address has too many calls. */
  readonly flaw: ConnectError | undefined;
}

/** Counts the call, and cuts it when it does not come to its end: some clients neither take an answer nor go away. */
function openCall(
  { limits, draining }: RelayCore,
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  from: Origin,
  isSubscription: boolean,
): RoutedCall {
  const refusal = charge(from.address, limits, callBytes);
  const closed = new AbortController();
  const limit = setTimeout(
    () => {
      if (!isSubscription || !request.complete) cut(response);
    },
    Math.min(2 * limits.maxRequestMs, longestTimerMs),
  ).unref();
  request.on("error", () => {});
  response.on("error", () => {});
  response.once("close", () => {
    clearTimeout(limit);
    if (refusal === undefined) from.address.pendingBytes -= callBytes;
    closed.abort();
  });
  for (const [name, value] of Object.entries(from.cors ?? {})) if (value !== undefined) response.setHeader(name, value);
  if (draining && !(response instanceof Http2ServerResponse)) response.shouldKeepAlive = false;
  return {
    request,
    response,
    from,
    closed: closed.signal,
    flaw: refusal === undefined ? undefined : connectError(refusal),
  };
}

function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

function protocolOf(contentType: string): RequestHeaders {
  if (/^application\/grpc/i.test(contentType)) return grpcHeaders;
  return /^application\/connect\+/i.test(contentType) ? connectStreamHeaders : connectUnaryHeaders;
}

/** The router reads it again, without an error. */
function isReadable(schema: DescMessage, message: Uint8Array, isJson: boolean): boolean {
  try {
    if (isJson) fromJsonString(schema, new TextDecoder("utf-8", { fatal: true }).decode(message));
    else fromBinary(schema, message);
    return true;
  } catch {
    return false;
  }
}

/** The router would say it as well, and repeat what the client wrote. */
function headerFlaw(
  headers: IncomingMessage["headers"],
  protocol: RequestHeaders,
  timeoutMs: number | string,
): ConnectError | undefined {
  if (typeof timeoutMs === "string") return connectError({ code: "invalid-argument", message: timeoutMs });
  if (!isCompressed(headers, protocol) || encodings.includes(String(headers[protocol.encoding]))) return undefined;
  const known = encodings.join(",");
  const error = connectError({ code: "unimplemented", message: `unknown compression; known are ${known}` });
  error.metadata.set(protocol.acceptEncoding, known);
  return error;
}

/** Without those that are dealt with already. */
function webHeaders(headers: IncomingMessage["headers"], read: RequestHeaders | undefined): Headers {
  const done = ["grpc-timeout", "connect-timeout-ms", "content-length", read?.encoding];
  const web = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(":") || done.includes(name)) continue;
    web.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  return web;
}

function cut(response: ServerResponse | Http2ServerResponse): void {
  if (response instanceof Http2ServerResponse) response.stream.close(constants.NGHTTP2_CANCEL);
  else response.destroy();
}

function answerHealth(response: ServerResponse | Http2ServerResponse, draining: boolean): void {
  response.statusCode = draining ? 503 : 200;
  response.setHeader("content-type", "text/plain");
  response.setHeader("cache-control", "no-store");
  response.end(draining ? "stopping\n" : "ok\n");
}

/** gRPC wants a status even for services that nobody knows. */
function answerUnknown(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
): void {
  const contentType = request.headers["content-type"] ?? "";
  const speaksGrpc = request.method === "POST" && /^application\/grpc(\+|;|$)/.test(contentType);
  if (speaksGrpc && response instanceof Http2ServerResponse) {
    // Trailers only, in the very frame that ends the stream: grpc-go does not look for a status anywhere else.
    const status = trailersOf({ code: "unimplemented", message: "unknown method" });
    response.stream.respond({ ":status": 200, "content-type": contentType, ...status }, { endStream: true });
  } else {
    response.statusCode = 404;
    response.end();
  }
  if (response instanceof Http2ServerResponse) response.stream.close(constants.NGHTTP2_NO_ERROR);
}
