/**
 * The lean path: Publish, Subscribe and Listen in the binary encodings of gRPC, gRPC-Web and Connect, straight on the
 * streams of `node:http2` and `node:http`. Their listeners are shared functions that find their call on the stream
 * itself: a relay has tens of thousands of streams, and closures for each cost memory and time.
 */

import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { AddressState } from "../connections.ts";
import type { RelayCore } from "../core.ts";
import { prefixBytes } from "../frames.ts";
import type { Status } from "../status.ts";
import { forgetSubscription, maxListenBytes, openSubscription, readListen, readSubscribe } from "../subscription.ts";
import {
  type Call,
  type CallInput,
  type CallOutput,
  callKey,
  type Framing,
  type HttpVersion,
  type Method,
} from "./call.ts";
import { connectStream, connectUnary } from "./connect.ts";
import { grpc } from "./grpc.ts";
import { grpcWeb } from "./grpc-web.ts";
import { http1, http2 } from "./http-versions.ts";

export interface LeanHandler {
  /** Serves the request and returns true when it is one for the lean path. */
  handleHttp2(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, from: Origin): boolean;
  handleHttp1(request: IncomingMessage, response: ServerResponse, from: Origin): boolean;
  stop(): void;
}

/** Where a request comes from. */
export interface Origin {
  readonly address: AddressState;
  /** Headers that the answer owes to the origin of a page. */
  readonly cors: OutgoingHttpHeaders | undefined;
}

/** Where the methods are, in every protocol. */
export const methodPaths: ReadonlyMap<string, Method> = /* @__PURE__ */ new Map([
  ["/cunicu.signaling.Signaling/Publish", "publish"],
  ["/cunicu.signaling.Signaling/Subscribe", "subscribe"],
  ["/wice.v1.Relay/Listen", "listen"],
]);

const emptyRequest = /* @__PURE__ */ Buffer.alloc(0);

export function createLeanHandler(core: RelayCore): LeanHandler {
  const reading = new Set<Call>();
  const sweep = setInterval(endLateRequests, 250, core, reading).unref();

  const handle = (
    path: string,
    headers: IncomingHttpHeaders,
    http: HttpVersion,
    input: CallInput,
    output: CallOutput,
    from: Origin,
  ): boolean => {
    const method = methodPaths.get(path);
    const contentType = headers["content-type"];
    if (method === undefined || contentType === undefined) return false;
    const framing = framingOf(contentType, method, http);
    if (framing === undefined || isCompressed(headers)) return false;
    const nowMs = performance.now();
    const timeoutMs = framing.timeoutMs(headers);
    const call: Call = {
      core,
      reading,
      framing,
      http,
      method,
      input,
      output,
      contentType,
      cors: from.cors,
      address: from.address,
      openedMs: nowMs,
      deadlineMs: nowMs + (typeof timeoutMs === "number" ? timeoutMs : 0),
      request: undefined,
      // Where requests have no prefix there is room for one: the core takes messages that have it.
      received: framing.prefixed ? 0 : prefixBytes,
      status: undefined,
      subscription: undefined,
      start: startAnswer,
      refuse: refuseThis,
      end: endAnswer,
    };
    read(call, typeof timeoutMs === "string" ? timeoutMs : undefined);
    return true;
  };

  return {
    handleHttp2: (stream, headers, from) =>
      headers[":method"] === "POST" && handle(String(headers[":path"]), headers, http2, stream, stream, from),
    handleHttp1: (request, response, from) =>
      request.method === "POST" && handle(request.url ?? "", request.headers, http1, request, response, from),
    stop: () => clearInterval(sweep),
  };
}

function framingOf(contentType: string, method: Method, http: HttpVersion): Framing | undefined {
  switch (contentType) {
    case "application/grpc":
    case "application/grpc+proto":
      return http === http2 ? grpc : undefined;
    case "application/grpc-web":
    case "application/grpc-web+proto":
      return grpcWeb;
    case "application/proto":
      return method === "publish" ? connectUnary : undefined;
    case "application/connect+proto":
      return method === "publish" ? undefined : connectStream;
    default:
      return undefined;
  }
}

/** Whether the request may be compressed, in the word of any of the protocols. */
function isCompressed(headers: IncomingHttpHeaders): boolean {
  const encoding = headers["grpc-encoding"] ?? headers["connect-content-encoding"] ?? headers["content-encoding"];
  return encoding !== undefined && encoding !== "identity";
}

/** Reads the request, unless its headers have a flaw. */
function read(call: Call, flaw: string | undefined): void {
  const { input, output } = call;
  input[callKey] = call;
  input.on("error", ignore);
  if (output !== input) {
    output[callKey] = call;
    output.on("error", ignore);
  }
  if (flaw !== undefined) {
    refuse(call, { code: "invalid-argument", message: flaw });
    return;
  }
  call.reading.add(call);
  input.on("data", onData);
  input.on("end", onEnd);
}

/** Clients reset streams at any time, which is no error of ours. */
function ignore(): void {}

function onData(this: CallInput, chunk: Buffer): void {
  const call = this[callKey];
  if (call === undefined || call.status !== undefined) return;
  const { received } = call;
  const total = received + chunk.length;
  // Node hands out slices of what it read from the socket, up to 64 KiB for everybody on the connection. What may wait
  // in a queue is copied, so that it does not keep all of that in memory. It grows with what has come, not with what
  // was announced.
  let request = call.request;
  if (request === undefined || request.length < total) {
    const grown = Buffer.allocUnsafeSlow(request === undefined ? total : Math.max(total, 2 * received));
    if (request !== undefined) request.copy(grown, 0, 0, received);
    request = grown;
    call.request = request;
  }
  request.set(chunk, received);
  call.received = total;
  if (!call.framing.prefixed) checkSize(call, total - prefixBytes);
  else if (total >= prefixBytes) checkPrefix(call, request, total);
}

function checkPrefix(call: Call, request: Buffer, received: number): void {
  const flags = request[0];
  if (flags === 1) {
    refuse(call, { code: "unimplemented", message: "compressed messages are not taken" });
    return;
  }
  if (flags !== 0) {
    refuse(call, { code: "invalid-argument", message: "malformed message prefix" });
    return;
  }
  const size = request.readUInt32BE(1);
  if (checkSize(call, size) && received > prefixBytes + size) {
    refuse(call, { code: "unimplemented", message: "more than one message in the request" });
  }
}

function checkSize(call: Call, size: number): boolean {
  const { limits } = call.core;
  const most =
    call.method === "listen" ? Math.max(limits.maxEnvelopeBytes, maxListenBytes(limits)) : limits.maxEnvelopeBytes;
  if (size <= most) return true;
  refuse(call, { code: "resource-exhausted", message: `larger than ${most} bytes`, retryAfterMs: -1 });
  return false;
}

function onEnd(this: CallInput): void {
  const call = this[callKey];
  if (call === undefined || !call.reading.delete(call) || call.http.gone(call)) return;
  const frame = takeRequest(call);
  if (frame === undefined) return;
  if (call.method === "publish") publish(call, frame);
  else subscribe(call, frame.subarray(prefixBytes));
}

/** The message of the request with a prefix, or undefined when the call was refused. */
function takeRequest(call: Call): Buffer | undefined {
  const { received } = call;
  let request = call.request ?? emptyRequest;
  if (!call.framing.prefixed) {
    if (request.length === 0) request = Buffer.allocUnsafeSlow(prefixBytes);
    request[0] = 0;
    request.writeUInt32BE(received - prefixBytes, 1);
  } else if (received === 0) {
    refuse(call, { code: "unimplemented", message: "no message in the request" });
    return undefined;
  } else if (received < prefixBytes || received !== prefixBytes + request.readUInt32BE(1)) {
    refuse(call, { code: "invalid-argument", message: "the message is cut short" });
    return undefined;
  }
  call.request = undefined;
  return request.length === received ? request : Buffer.from(request.subarray(0, received));
}

function publish(call: Call, frame: Buffer): void {
  const result = call.core.publish(frame, call.address);
  if (typeof result === "number") call.framing.answer(call, result);
  else refuse(call, result);
}

function subscribe(call: Call, message: Uint8Array): void {
  const { core, output, deadlineMs } = call;
  const request = call.method === "listen" ? readListen(message, core.limits) : readSubscribe(message);
  if (typeof request === "string") {
    refuse(call, { code: "invalid-argument", message: request });
    return;
  }
  output.on("close", onClose);
  call.subscription = openSubscription(core, request, call, deadlineMs);
}

function startAnswer(this: Call): void {
  this.framing.start(this);
}

function refuseThis(this: Call, status: Status): void {
  refuse(this, status);
}

function endAnswer(this: Call, status: Status): void {
  this.status = status;
  this.framing.end(this, status);
}

/** A Subscribe or Listen is over, however it came to that. */
function onClose(this: CallOutput): void {
  const call = this[callKey];
  if (call === undefined) return;
  if (call.subscription !== undefined) forgetSubscription(call.subscription);
  delete call.input[callKey];
  delete call.output[callKey];
}

/** Answers with a status alone, and stops a client that is still sending. */
function refuse(call: Call, status: Status): void {
  call.reading.delete(call);
  call.status = status;
  call.request = undefined;
  call.core.counters.refused[status.code]++;
  if (!call.http.gone(call)) call.framing.refuse(call, status);
}

/** Ends calls whose request does not arrive in time. */
function endLateRequests({ limits }: RelayCore, reading: Set<Call>): void {
  const nowMs = performance.now();
  for (const call of reading) {
    if (call.input.destroyed) reading.delete(call);
    else if (Math.min(call.deadlineMs, call.openedMs + limits.maxRequestMs) < nowMs) {
      refuse(call, { code: "deadline-exceeded", message: "the request did not arrive in time" });
    }
  }
}
