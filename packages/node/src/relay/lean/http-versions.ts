/** What the two versions of HTTP do differently for a call. */

import type { ServerResponse } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { HttpVersion } from "./call.ts";

export const http2: HttpVersion = {
  head({ output, cors }, status, headers) {
    headers[":status"] = status;
    if (cors !== undefined) Object.assign(headers, cors);
    (output as ServerHttp2Stream).respond(headers);
  },
  whole({ output, cors }, status, headers, body) {
    const stream = output as ServerHttp2Stream;
    headers[":status"] = status;
    if (cors !== undefined) Object.assign(headers, cors);
    stream.respond(headers, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    stream.close(constants.NGHTTP2_NO_ERROR);
  },
  gone({ output }) {
    const stream = output as ServerHttp2Stream;
    return stream.destroyed || stream.closed;
  },
};

export const http1: HttpVersion = {
  head({ core, method, output, cors }, status, headers) {
    const response = output as ServerResponse;
    // A stream ends when something is over; its connection ends with it, and a relay that stops waits for none.
    if (method !== "publish" || core.draining) response.shouldKeepAlive = false;
    if (cors !== undefined) Object.assign(headers, cors);
    response.writeHead(status, headers);
  },
  whole({ core, output, cors }, status, headers, body) {
    const response = output as ServerResponse;
    headers["content-length"] = body?.length ?? 0;
    if (core.draining) response.shouldKeepAlive = false;
    if (cors !== undefined) Object.assign(headers, cors);
    response.writeHead(status, headers);
    // What is left of the request is read and thrown away, for as long as a request may take.
    response.end(body);
  },
  gone: ({ output }) => output.destroyed || output.writableEnded,
};
