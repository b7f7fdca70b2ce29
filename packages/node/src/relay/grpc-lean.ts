/**
 * Publish and Subscribe in binary gRPC, straight on `node:http2` streams. Their listeners are shared functions that
 * find their call on the stream itself: a relay has tens of thousands of streams, and closures for each cost memory
 * and time.
 */

import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
  type ServerStreamResponseOptions,
} from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { SubscribeParamsSchema } from "@wice/core/wire";
import type { Applicant } from "./admission.ts";
import { keyFlaw, topicOf } from "./check-envelope.ts";
import type { AddressState, Connections } from "./connections.ts";
import type { RelayCore } from "./core.ts";
import { createResultFrames, prefixBytes } from "./frames.ts";
import { type GrpcStatus, timeoutMs, trailersOf } from "./grpc-status.ts";
import { longestTimerMs } from "./limits.ts";
import { abandon, createSubscriber, endWhenWritten, greet, type Subscriber, startHeartbeat } from "./subscriber.ts";

export interface LeanHandler {
  /** Serves the stream and returns true when it is a Publish or Subscribe in binary gRPC. */
  handle(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean;
  /** Ends every subscription with Unavailable, once what waits for it is written. */
  endSubscriptions(): void;
  stop(): void;
}

const publishPath = "/cunicu.signaling.Signaling/Publish";
const subscribePath = "/cunicu.signaling.Signaling/Subscribe";

/** Where a stream keeps its call. */
const callKey: unique symbol = Symbol("call");

interface CallStream extends ServerHttp2Stream {
  [callKey]?: Call;
}

/** A call from its headers to its last trailer. */
interface Call {
  readonly handler: HandlerState;
  readonly stream: CallStream;
  readonly subscribes: boolean;
  readonly contentType: string;
  readonly address: AddressState;
  /** When it came, and when the client gives up, by `performance.now()`. */
  readonly openedMs: number;
  readonly deadlineMs: number;
  /** The request as far as it has come: prefix and message, in memory of our own. */
  request: Buffer | undefined;
  received: number;
  /** The status that the trailers will carry; undefined for OK. */
  status: GrpcStatus | undefined;
  applicant: Applicant | undefined;
  subscriber: Subscriber | undefined;
  timer: NodeJS.Timeout | undefined;
}

interface HandlerState {
  readonly core: RelayCore;
  readonly resultFrame: (subscribers: number) => Buffer;
  /** Calls whose request has not arrived in full. */
  readonly reading: Set<Call>;
}

const withTrailers: ServerStreamResponseOptions = { waitForTrailers: true };
const trailersOnly: ServerStreamResponseOptions = { endStream: true };
const okTrailers = { "grpc-status": "0" };
const emptyRequest = /* @__PURE__ */ Buffer.alloc(0);

const heartbeatRangeMs = { least: 100, most: 600_000 };

export function createLeanHandler(core: RelayCore, connections: Connections): LeanHandler {
  const handler: HandlerState = { core, resultFrame: createResultFrames(), reading: new Set() };
  const sweep = setInterval(endLateRequests, 250, handler).unref();
  return {
    handle(stream, headers) {
      const path = headers[":path"];
      const subscribes = path === subscribePath;
      if (!subscribes && path !== publishPath) return false;
      const contentType = headers["content-type"];
      if (contentType !== "application/grpc" && contentType !== "application/grpc+proto") return false;
      if (headers[":method"] !== "POST") return false;
      open(handler, stream, headers, subscribes, contentType, connections.addressOf(stream.session));
      return true;
    },
    endSubscriptions() {
      for (const subscriber of [...core.topics.all()]) {
        const call = (subscriber.output as CallStream)[callKey];
        if (call !== undefined)
          endSubscription(call, { code: "unavailable", message: "the relay stops; subscribe again" });
      }
    },
    stop: () => clearInterval(sweep),
  };
}

function open(
  handler: HandlerState,
  stream: CallStream,
  headers: IncomingHttpHeaders,
  subscribes: boolean,
  contentType: string,
  address: AddressState,
): void {
  const nowMs = performance.now();
  const timeout = headers["grpc-timeout"];
  const clientMs = timeout === undefined ? Number.POSITIVE_INFINITY : timeoutMs(String(timeout));
  const call: Call = {
    handler,
    stream,
    subscribes,
    contentType,
    address,
    openedMs: nowMs,
    deadlineMs: nowMs + clientMs,
    request: undefined,
    received: 0,
    status: undefined,
    applicant: undefined,
    subscriber: undefined,
    timer: undefined,
  };
  stream[callKey] = call;
  stream.on("error", ignore);
  if (Number.isNaN(clientMs)) {
    refuse(call, { code: "invalid-argument", message: "grpc-timeout is malformed" });
    return;
  }
  handler.reading.add(call);
  stream.on("data", onData);
  stream.on("end", onEnd);
}

/** Clients reset streams at any time, which is no error of ours. */
function ignore(): void {}

function onData(this: CallStream, chunk: Buffer): void {
  const call = this[callKey];
  if (call === undefined || call.status !== undefined) return;
  const { received } = call;
  const total = received + chunk.length;
  // Node hands out slices of what it read from the socket, up to 64 KiB for everybody on the connection. What may wait
  // in a queue is copied, so that it does not keep all of that in memory. It grows with what has come, not with what
  // was announced.
  let request = call.request;
  if (request === undefined || request.length < total) {
    const grown = Buffer.allocUnsafeSlow(received === 0 ? total : Math.max(total, 2 * received));
    if (request !== undefined) request.copy(grown, 0, 0, received);
    request = grown;
    call.request = request;
  }
  request.set(chunk, received);
  call.received = total;
  if (total >= prefixBytes) checkPrefix(call, request, total);
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
  const { maxEnvelopeBytes } = call.handler.core.limits;
  if (size > maxEnvelopeBytes) {
    refuse(call, { code: "resource-exhausted", message: `larger than ${maxEnvelopeBytes} bytes`, retryAfterMs: -1 });
  } else if (received > prefixBytes + size) {
    refuse(call, { code: "unimplemented", message: "more than one message in the request" });
  }
}

function onEnd(this: CallStream): void {
  const call = this[callKey];
  if (call === undefined || !call.handler.reading.delete(call) || this.destroyed || this.closed) return;
  const request = call.request ?? emptyRequest;
  const { received } = call;
  if (received === 0) {
    refuse(call, { code: "unimplemented", message: "no message in the request" });
  } else if (received < prefixBytes || received !== prefixBytes + request.readUInt32BE(1)) {
    refuse(call, { code: "invalid-argument", message: "the message is cut short" });
  } else {
    call.request = undefined;
    const frame = request.length === received ? request : Buffer.from(request.subarray(0, received));
    if (call.subscribes) subscribe(call, frame);
    else publish(call, frame);
  }
}

function publish(call: Call, frame: Buffer): void {
  const { core, resultFrame } = call.handler;
  const result = core.publish(frame, call.address);
  if (typeof result !== "number") {
    refuse(call, result);
    return;
  }
  const { stream } = call;
  stream.respond({ ":status": 200, "content-type": call.contentType }, withTrailers);
  stream.on("wantTrailers", sendTrailers);
  stream.end(resultFrame(result));
}

function subscribe(call: Call, frame: Buffer): void {
  let key: Uint8Array;
  let heartbeatMs: number;
  try {
    ({ key, heartbeatMs } = fromBinary(SubscribeParamsSchema, frame.subarray(prefixBytes)));
  } catch {
    refuse(call, { code: "invalid-argument", message: "not a subscription: malformed protobuf" });
    return;
  }
  const flaw = keyFlaw("key", key);
  if (flaw !== undefined) {
    refuse(call, { code: "invalid-argument", message: flaw });
    return;
  }
  const { stream, handler } = call;
  const topic = topicOf(Buffer.from(key.buffer, key.byteOffset, key.length));
  stream.on("close", onClose);
  if (call.deadlineMs !== Number.POSITIVE_INFINITY) {
    call.timer = setTimeout(
      onDeadline,
      Math.max(1, Math.min(call.deadlineMs - performance.now(), longestTimerMs)),
      call,
    ).unref();
  }
  const applicant: Applicant = {
    topic,
    address: call.address,
    admit: () => {
      call.applicant = undefined;
      startSubscription(call, topic, heartbeatMs);
    },
    refuse: () => {
      call.applicant = undefined;
      const { maxSubscribeDelayMs } = handler.core.limits;
      refuse(call, {
        code: handler.core.draining ? "unavailable" : "resource-exhausted",
        message: handler.core.draining
          ? "the relay stops; subscribe again"
          : "too many subscriptions of this key or address",
        retryAfterMs: Math.min(maxSubscribeDelayMs, 10_000),
      });
    },
  };
  call.applicant = applicant;
  handler.core.admission.apply(applicant);
}

function startSubscription(call: Call, topic: string, heartbeatMs: number): void {
  const { stream, handler } = call;
  const { core } = handler;
  const subscriber = createSubscriber(stream, topic, core);
  call.subscriber = subscriber;
  core.topics.add(subscriber);
  stream.respond({ ":status": 200, "content-type": call.contentType }, withTrailers);
  stream.on("wantTrailers", sendTrailers);
  greet(subscriber);
  if (heartbeatMs > 0) {
    startHeartbeat(subscriber, Math.min(Math.max(heartbeatMs, heartbeatRangeMs.least), heartbeatRangeMs.most));
  }
}

function onDeadline(call: Call): void {
  const status: GrpcStatus = { code: "deadline-exceeded", message: "the deadline that the client set is over" };
  if (call.subscriber === undefined) refuse(call, status);
  else endSubscription(call, status);
}

function endSubscription(call: Call, status: GrpcStatus): void {
  if (call.subscriber === undefined || call.status !== undefined) return;
  call.status = status;
  // Nothing may be written to a stream that has ended, not even by a publication that is under way.
  call.handler.core.topics.remove(call.subscriber);
  endWhenWritten(call.subscriber, () => call.stream.end());
}

/** A Subscribe is over, however it came to that. */
function onClose(this: CallStream): void {
  const call = this[callKey];
  if (call === undefined) return;
  const { core } = call.handler;
  clearTimeout(call.timer);
  if (call.applicant !== undefined) core.admission.withdraw(call.applicant);
  if (call.subscriber !== undefined) {
    core.topics.remove(call.subscriber);
    abandon(call.subscriber);
    core.admission.release(call.address);
  }
  delete this[callKey];
}

function sendTrailers(this: CallStream): void {
  const status = this[callKey]?.status;
  this.sendTrailers(status === undefined ? okTrailers : trailersOf(status));
}

/** Answers with a status alone, and stops a client that is still sending. */
function refuse(call: Call, status: GrpcStatus): void {
  const { stream, handler } = call;
  handler.reading.delete(call);
  call.status = status;
  call.request = undefined;
  handler.core.counters.refused[status.code]++;
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ":status": 200, "content-type": call.contentType, ...trailersOf(status) }, trailersOnly);
  stream.close(constants.NGHTTP2_NO_ERROR);
}

/** Ends calls whose request does not arrive in time. */
function endLateRequests({ core, reading }: HandlerState): void {
  const nowMs = performance.now();
  for (const call of reading) {
    if (call.stream.destroyed) reading.delete(call);
    else if (Math.min(call.deadlineMs, call.openedMs + core.limits.maxRequestMs) < nowMs) {
      refuse(call, { code: "deadline-exceeded", message: "the request did not arrive in time" });
    }
  }
}
