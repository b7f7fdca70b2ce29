/** Binary Connect, unary and streaming: https://connectrpc.com/docs/protocol. */

import type { OutgoingHttpHeaders } from "node:http";
import { endStreamJson, errorJson, httpStatusOf } from "../connect-status.ts";
import { createResultAnswers, frameMessage, prefixBytes, resultFrame } from "../frames.ts";
import { connectStreamHeaders, connectUnaryHeaders } from "../request-headers.ts";
import { retryHeader, retryHint, type Status } from "../status.ts";
import type { Framing } from "./call.ts";
import { streamHeaders, wholeAnswer } from "./web-answer.ts";

const endStreamFlag = 0x02;
const answerOf = /* @__PURE__ */ createResultAnswers((count) => resultFrame(count).subarray(prefixBytes));

/** Request and answer are bare messages, errors are statuses of HTTP with JSON. Only for Publish. */
export const connectUnary: Framing = {
  prefixed: false,
  headers: connectUnaryHeaders,
  answer: (call, subscribers) => wholeAnswer(call, answerOf(subscribers)),
  start: wrongKind,
  end: wrongKind,
  refuse(call, status) {
    const headers: OutgoingHttpHeaders = { "content-type": "application/json" };
    const hint = retryHint(status);
    if (hint !== undefined) headers[retryHeader] = hint;
    call.http.whole(call, httpStatusOf(status), headers, errorJson(status));
  },
};

/** The status of HTTP is always 200; the last frame says in JSON how it ended. Only for Subscribe and Listen. */
export const connectStream: Framing = {
  prefixed: true,
  headers: connectStreamHeaders,
  answer: wrongKind,
  start: (call) => call.http.head(call, 200, streamHeaders(call)),
  end: ({ output }, status) => void output.end(endStream(status)),
  refuse: (call, status) => call.http.whole(call, 200, streamHeaders(call), endStream(status)),
};

function endStream(status: Status): Buffer {
  return frameMessage(endStreamJson(status), endStreamFlag);
}

function wrongKind(): never {
  throw new Error("this framing is for the other kind of method");
}
