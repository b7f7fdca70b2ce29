/** Binary gRPC-Web: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md. Trailers are the last frame of the body. */

import { createResultAnswers, frameMessage, resultFrame } from "../frames.ts";
import { trailersOf } from "../grpc-status.ts";
import { grpcHeaders } from "../request-headers.ts";
import type { Framing } from "./call.ts";
import { streamHeaders, wholeAnswer } from "./web-answer.ts";

const trailerFlag = 0x80;
const okTrailers = /* @__PURE__ */ trailerFrame({ "grpc-status": "0" });
const answerOf = /* @__PURE__ */ createResultAnswers((count) => Buffer.concat([resultFrame(count), okTrailers]));

export const grpcWeb: Framing = {
  prefixed: true,
  headers: grpcHeaders,
  answer: (call, subscribers) => wholeAnswer(call, answerOf(subscribers)),
  start: (call) => call.http.head(call, 200, streamHeaders(call)),
  end: ({ output }, status) => void output.end(trailerFrame(trailersOf(status))),
  refuse(call, status) {
    call.http.whole(call, 200, { "content-type": call.contentType, ...trailersOf(status) }, undefined);
  },
};

function trailerFrame(trailers: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
  return frameMessage(Buffer.from(lines.join("")), trailerFlag);
}
