/** Speaks both versions of HTTP on sockets that somebody else has accepted, and hands requests to who serves them. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  constants,
  Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { Connection, Connections } from "./connections.ts";
import type { RelayCore } from "./core.ts";
import type { Cors } from "./cors.ts";
import type { LeanHandler } from "./lean/handler.ts";
import { longestTimerMs, type RelayLimits } from "./limits.ts";
import type { Protocol } from "./preface.ts";
import type { RoutedHandler } from "./routed/handler.ts";

export interface HttpFront {
  /** Speaks the protocol until the socket closes. */
  serve(connection: Connection, protocol: Protocol): void;
  /** Tells every connection that the end has come: no new calls, but those under way may finish. */
  announceEnd(): void;
  /** Closes every connection as soon as its calls are over. */
  finish(): void;
  stop(): void;
}

/** Received bytes that may be under way on one HTTP/2 connection; the default of 64 KiB is one large envelope. */
const connectionWindowBytes = 1_048_576;

/** How long a client may take for the head of a request of HTTP/1.1. */
export const headersTimeoutMs = 10_000;

/** How long a connection of HTTP/1.1 may wait for its next request. Longer than most proxies keep theirs. */
const keepAliveTimeoutMs = 75_000;

/** Requests that one connection of HTTP/1.1 may send ahead before it is cut. */
const maxUnanswered = 100;

export function createHttpFront(
  core: RelayCore,
  connections: Connections,
  cors: Cors,
  lean: LeanHandler,
  routed: RoutedHandler,
): HttpFront {
  const settings = http2Settings(core.limits);
  const http1 = createHttp1Server(core.limits);

  http1.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const connection = connections.of(request.socket);
    if (connection === undefined) {
      request.socket.destroy();
      return;
    }
    const previous = connection.response;
    if (previous?.writableEnded === false) {
      // Pipelined. No browser does that, and who does it sends again what was not answered (RFC 9112, 9.3.2).
      previous.shouldKeepAlive = false;
      if (previous.headersSent || ++connection.unanswered > maxUnanswered) request.socket.destroy();
      return;
    }
    connection.response = response;
    const from = { address: connection.address, cors: cors.headersFor(request.headers) };
    if (core.draining && !routed.isHealthCheck(request.url)) {
      // Every protocol knows it as Unavailable.
      response.writeHead(503, { ...from.cors, connection: "close", "retry-after": "1" }).end();
    } else if (isPreflight(request.method, request.headers)) {
      response.writeHead(204, cors.preflight(request.headers)).end();
    } else if (!lean.handleHttp1(request, response, from)) {
      routed.handle(request, response, from);
    }
  });

  const onStream = (
    connection: Connection,
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: string[],
  ): void => {
    if (core.draining && !routed.isHealthCheck(headers[":path"])) {
      // "Not processed": gRPC tries again by itself, elsewhere.
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    const from = { address: connection.address, cors: cors.headersFor(headers) };
    if (headers.expect === "100-continue") stream.additionalHeaders({ ":status": constants.HTTP_STATUS_CONTINUE });
    if (isPreflight(headers[":method"], headers)) {
      stream.on("error", () => {});
      stream.resume();
      stream.respond({ ":status": 204, ...cors.preflight(headers) }, { endStream: true });
      stream.close(constants.NGHTTP2_NO_ERROR);
    } else if (!lean.handleHttp2(stream, headers, from)) {
      routed.handle(new Http2ServerRequest(stream, headers, {}, rawHeaders), new Http2ServerResponse(stream), from);
    }
  };

  return {
    serve(connection, protocol) {
      const { socket } = connection;
      if (protocol === "http1") {
        http1.emit("connection", socket);
        // The parser takes what was read already before anything else.
        socket.resume();
        return;
      }
      const session = performServerHandshake(socket, settings);
      connection.session = session;
      session.setLocalWindowSize(connectionWindowBytes);
      session.on("error", () => {});
      session.on("stream", (stream, headers, _flags, rawHeaders: string[]) =>
        onStream(connection, stream, headers, rawHeaders),
      );
    },
    announceEnd() {
      // The highest possible stream number announces the end without cutting off requests that are under way.
      for (const { session } of connections.all())
        if (session?.destroyed === false) session.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1);
    },
    finish() {
      for (const { session, response, socket } of connections.all()) {
        if (session !== undefined) session.close();
        else if (response === undefined || response.writableFinished) socket.destroySoon();
        else response.once("close", () => socket.destroySoon());
      }
    },
    stop: () => http1.close(),
  };
}

function isPreflight(method: string | undefined, headers: IncomingHttpHeaders): boolean {
  return method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
}

/** A server without a port of its own. */
function createHttp1Server({ maxRequestMs }: RelayLimits): ReturnType<typeof createServer> {
  // The lean path ends a late request in the way of its protocol; this is for those who do not take that for an answer.
  const requestTimeout = maxRequestMs === longestTimerMs ? 0 : maxRequestMs + 2_000;
  const server = createServer({
    maxHeaderSize: 16_384,
    headersTimeout: requestTimeout === 0 ? headersTimeoutMs : Math.min(headersTimeoutMs, requestTimeout),
    requestTimeout,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: 1_000,
  });
  server.maxHeadersCount = 64;
  // Node looks for late requests from this event on, which never comes to a server that listens nowhere.
  server.emit("listening");
  return server;
}

/** What keeps one connection from harming the others. */
function http2Settings(limits: RelayLimits): ServerOptions {
  return {
    // Megabytes of streams, headers and unsent data on one connection. The default of 10 would end at some thousand
    // subscriptions; what a subscriber can make us keep is bounded by its own queue.
    maxSessionMemory: 1_024,
    maxHeaderListPairs: 64,
    maxOutstandingPings: 4,
    // A client may end 10,000 subscriptions at once, each with a reset; a flood of resets (CVE-2023-44487) goes on.
    streamResetBurst: 20_000,
    streamResetRate: 1_000,
    settings: {
      maxConcurrentStreams: Math.min(limits.maxStreamsPerConnection, 2 ** 31 - 1),
      initialWindowSize: 131_072,
      maxHeaderListSize: 16_384,
      enablePush: false,
    },
  };
}
