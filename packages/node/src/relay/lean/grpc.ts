/** gRPC: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. Only over HTTP/2, for its trailers. */

import { constants, type ServerHttp2Stream, type ServerStreamResponseOptions } from "node:http2";
import { createResultAnswers, resultFrame } from "../frames.ts";
import { trailersOf } from "../grpc-status.ts";
import { grpcHeaders } from "../request-headers.ts";
import { relayStops } from "../status.ts";
import { type Call, type CallCarrier, callKey, type Framing } from "./call.ts";

const withTrailers: ServerStreamResponseOptions = { waitForTrailers: true };
const trailersOnly: ServerStreamResponseOptions = { endStream: true };
const okTrailers = { "grpc-status": "0" };
const answerOf = /* @__PURE__ */ createResultAnswers(resultFrame);

export const grpc: Framing = {
  prefixed: true,
  headers: grpcHeaders,
  answer(call, subscribers) {
    start(call);
    call.output.end(answerOf(subscribers));
  },
  start,
  end: ({ output }) => void output.end(),
  refuse({ output, contentType }, status) {
    const stream = output as ServerHttp2Stream;
    if (status === relayStops) {
      // "Not processed": gRPC tries again by itself, elsewhere. A Go client that is refused in words stays deaf.
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    stream.respond({ ":status": 200, "content-type": contentType, ...trailersOf(status) }, trailersOnly);
    stream.close(constants.NGHTTP2_NO_ERROR);
  },
};

function start({ output, contentType }: Call): void {
  const stream = output as ServerHttp2Stream;
  stream.respond({ ":status": 200, "content-type": contentType }, withTrailers);
  stream.on("wantTrailers", sendTrailers);
}

function sendTrailers(this: ServerHttp2Stream & CallCarrier): void {
  const status = this[callKey]?.status;
  this.sendTrailers(status === undefined ? okTrailers : trailersOf(status));
}
