/**
 * The lean path: Publish, Subscribe and Listen in the binary encodings of gRPC, gRPC-Web and Connect, straight on the
 * streams of `node:http2` and `node:http`. Their listeners are shared functions that find their call on the stream
 * itself: a relay has tens of thousands of streams, and closures for each cost memory and time.
 */

import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { AddressState } from "../connections.ts";
import type { RelayCore } from "../core.ts";
import { endFlaw, framingFlaw, tooLarge } from "../framed-request.ts";
import { prefixBytes } from "../frames.ts";
import type { RelayLimits } from "../limits.ts";
import { append, callBytes, charge } from "../pending.ts";
import { isCompressed } from "../request-headers.ts";
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
    if (framing === undefined || isCompressed(headers, framing.headers)) return false;
    const nowMs = performance.now();
    const timeoutMs = framing.headers.deadlineMs(headers);
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
      chargedBytes: 0,
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

/** Reads the request, unless its headers have a flaw. */
function read(call: Call, flaw: string | undefined): void {
  const { input, output } = call;
  input[callKey] = call;
  input.on("error", ignore);
  if (output !== input) {
    output[callKey] = call;
    output.on("error", ignore);
  }
  output.on("close", onClose);
  if (flaw !== undefined) refuse(call, { code: "invalid-argument", message: flaw });
  else if (takeMemory(call, callBytes)) {
    call.reading.add(call);
    input.on("data", onData);
    input.on("end", onEnd);
  }
}

/** Clients reset streams at any time, which is no error of ours. */
function ignore(): void {}

function takeMemory(call: Call, bytes: number): boolean {
  const refusal = charge(call.address, call.core.limits, bytes);
  if (refusal === undefined) call.chargedBytes += bytes;
  else refuse(call, refusal);
  return refusal === undefined;
}

function giveMemoryBack(call: Call): void {
  call.address.pendingBytes -= call.chargedBytes;
  call.chargedBytes = 0;
}

function onData(this: CallInput, chunk: Buffer): void {
  const call = this[callKey];
  if (call === undefined || call.status !== undefined || !takeMemory(call, chunk.length)) return;
  const request = append(call.request, call.received, chunk);
  call.request = request;
  call.received += chunk.length;
  const flaw = flawSoFar(call, request);
  if (flaw !== undefined) refuse(call, flaw);
}

function flawSoFar({ core, framing, method, received }: Call, request: Buffer): Status | undefined {
  const most = maxMessageBytes(method, core.limits);
  if (framing.prefixed) return framingFlaw(request, received, most, false);
  return received > prefixBytes + most ? tooLarge(most) : undefined;
}

/** How large the message of a request may be. */
export function maxMessageBytes(method: Method, limits: RelayLimits): number {
  return method === "listen" ? Math.max(limits.maxEnvelopeBytes, maxListenBytes(limits)) : limits.maxEnvelopeBytes;
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
  } else {
    const flaw = endFlaw(request, received);
    if (flaw !== undefined) {
      refuse(call, flaw);
      return undefined;
    }
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
  const { core, deadlineMs } = call;
  const request = call.method === "listen" ? readListen(message, core.limits) : readSubscribe(message);
  if (typeof request === "string") {
    refuse(call, { code: "invalid-argument", message: request });
    return;
  }
  call.subscription = openSubscription(core, request, call, deadlineMs);
}

function startAnswer(this: Call): void {
  // From now on it counts as a subscription.
  giveMemoryBack(this);
  this.framing.start(this);
}

function refuseThis(this: Call, status: Status): void {
  refuse(this, status);
}

function endAnswer(this: Call, status: Status): void {
  this.status = status;
  this.framing.end(this, status);
}

/** The call is over, however it came to that. */
function onClose(this: CallOutput): void {
  const call = this[callKey];
  if (call === undefined) return;
  call.reading.delete(call);
  giveMemoryBack(call);
  if (call.subscription !== undefined) forgetSubscription(call.subscription);
  call.input[callKey] = undefined;
  call.output[callKey] = undefined;
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
    if (Math.min(call.deadlineMs, call.openedMs + limits.maxRequestMs) < nowMs) {
      refuse(call, { code: "deadline-exceeded", message: "the request did not arrive in time" });
    }
  }
}
