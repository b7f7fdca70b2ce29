/** The ways to speak to a relay: a protocol over a version of HTTP. */

import { randomBytes } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { EnvelopeSchema, ListenRequestSchema, SubscribeParamsSchema } from "@wice/core/wire";

export interface Wire {
  readonly name: string;
  readonly http: "1.1" | "2";
  readonly publish: CallShape;
  readonly listen: CallShape;
  readonly subscribe: CallShape;
}

/** A method as a request. */
export interface CallShape {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the message in the request has its length before it. The messages of an answering stream always have. */
  readonly prefixed: boolean;
}

export const prefixBytes = 5;

const paths = {
  publish: "/cunicu.signaling.Signaling/Publish",
  subscribe: "/cunicu.signaling.Signaling/Subscribe",
  listen: "/wice.v1.Relay/Listen",
};

/** Pages are where Connect and gRPC-Web come from, and a relay owes an answer to their origin. */
const page = { origin: "https://example.org", "user-agent": "bench" };

const grpcHeaders = { "content-type": "application/grpc", te: "trailers" };
export const grpc: Wire = wire("gRPC, HTTP/2", "2", grpcHeaders, grpcHeaders);

const unary = { ...page, "content-type": "application/proto", "connect-protocol-version": "1" };
const stream = { ...page, "content-type": "application/connect+proto", "connect-protocol-version": "1" };
export const connectHttp2: Wire = wire("Connect, HTTP/2", "2", unary, stream);
export const connectHttp1: Wire = wire("Connect, HTTP/1.1", "1.1", unary, stream);

const web = { ...page, "content-type": "application/grpc-web+proto", "x-grpc-web": "1" };
const grpcWebHttp2: Wire = wire("gRPC-Web, HTTP/2", "2", web, web);
const grpcWebHttp1: Wire = wire("gRPC-Web, HTTP/1.1", "1.1", web, web);

export const wires: readonly Wire[] = [grpc, connectHttp2, connectHttp1, grpcWebHttp2, grpcWebHttp1];

function wire(name: string, http: Wire["http"], publish: CallShape["headers"], streaming: CallShape["headers"]): Wire {
  return {
    name,
    http,
    publish: { path: paths.publish, headers: publish, prefixed: publish["content-type"] !== "application/proto" },
    subscribe: { path: paths.subscribe, headers: streaming, prefixed: true },
    listen: { path: paths.listen, headers: streaming, prefixed: true },
  };
}

/** A key that passes for one: any 32 bytes below the prime, but those of low order. */
export function someKey(): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(randomBytes(32));
  key[31] = 0x40;
  return key;
}

/** An envelope of a stranger's. It ends with its nonce. */
export function envelopeTo(recipient: Uint8Array, bodyBytes: number): Uint8Array {
  const contents = { body: randomBytes(bodyBytes), nonce: randomBytes(24) };
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, { sender: someKey(), recipient, contents }));
}

export function listenTo(keys: readonly Uint8Array[]): Uint8Array {
  return toBinary(ListenRequestSchema, create(ListenRequestSchema, { keys: [...keys] }));
}

export function subscribeTo(key: Uint8Array): Uint8Array {
  return toBinary(SubscribeParamsSchema, create(SubscribeParamsSchema, { key }));
}

/** The body of a request: the message, with no flags and four bytes of length before it where the method wants them. */
export function requestBody({ prefixed }: CallShape, message: Uint8Array): Buffer {
  if (!prefixed) return Buffer.from(message);
  const frame = Buffer.alloc(prefixBytes + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, prefixBytes);
  return frame;
}
