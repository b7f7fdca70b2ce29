/** A gRPC server that does what a test tells it to, faults first of all. */

import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { type Envelope, encodeEnvelope, PublicKey } from "@wice/core";

export interface Request {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** `Publish`, `Subscribe` or `GetBuildInfo`. */
  readonly method: string;
  /** The first message, without its prefix. */
  readonly message: Buffer;
}

export type Script = (request: Request) => void | Promise<void>;

export interface ScriptedServer {
  readonly port: number;
  readonly url: string;
  /** Connections that were ever accepted. */
  readonly sessions: ServerHttp2Session[];
  readonly requests: Request[];
  /** HTTP/2 PINGs that came. */
  pings: number;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ScriptedServerOptions {
  readonly tls?: { readonly key: string; readonly cert: string };
  onSession?(session: ServerHttp2Session): void;
}

export async function scriptedServer(script: Script, options: ScriptedServerOptions = {}): Promise<ScriptedServer> {
  const server: Http2Server | Http2SecureServer = options.tls ? createSecureServer(options.tls) : createServer();
  const sockets = new Set<Socket>();
  server.on(options.tls ? "secureConnection" : "connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  const self = { sessions: [] as ServerHttp2Session[], requests: [] as Request[], pings: 0 };
  server.on("session", (opened) => {
    const session = opened as ServerHttp2Session;
    self.sessions.push(session);
    session.on("error", () => {});
    session.on("ping", () => {
      self.pings += 1;
    });
    options.onSession?.(session);
  });
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", () => {});
    let body = Buffer.alloc(0);
    let started = false;
    stream.on("data", (chunk: Buffer) => {
      body = Buffer.concat([body, chunk]);
      if (started || body.length < 5 || body.length < 5 + body.readUInt32BE(1)) return;
      started = true;
      const method = String(headers[":path"]).split("/").at(-1) ?? "";
      const request = { stream, headers, method, message: body.subarray(5, 5 + body.readUInt32BE(1)) };
      self.requests.push(request);
      void script(request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(self, {
    port,
    url: options.tls ? `grpcs://localhost:${port}` : `grpc://127.0.0.1:${port}?insecure=true`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const session of self.sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  });
}

export const grpcHeaders = { ":status": 200, "content-type": "application/grpc" };

/** One message with gRPC's prefix. */
export function framed(message: Uint8Array, flag = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

export const emptyMessage: Buffer = framed(new Uint8Array());

/** Opens the answer; trailers follow when `finish` is called. */
export function begin(stream: ServerHttp2Stream): void {
  stream.respond(grpcHeaders, { waitForTrailers: true });
}

/** Ends an answer that was begun, with these trailers. */
export function finish(stream: ServerHttp2Stream, trailers: Record<string, string>): void {
  stream.once("wantTrailers", () => stream.sendTrailers(trailers));
  stream.end();
}

/** Answers a unary call with OK. */
export function answer(stream: ServerHttp2Stream, message: Uint8Array = new Uint8Array()): void {
  begin(stream);
  stream.write(framed(message));
  finish(stream, { "grpc-status": "0" });
}

/** Refuses a call with headers alone. */
export function refuse(stream: ServerHttp2Stream, status: number, more: Record<string, string> = {}): void {
  stream.respond({ ...grpcHeaders, "grpc-status": String(status), ...more }, { endStream: true });
}

/** What a good server does with a subscription. */
export function welcome(stream: ServerHttp2Stream): void {
  begin(stream);
  stream.write(emptyMessage);
}

/** Two keys that nobody owns, but that are well-formed. */
const alice: PublicKey = PublicKey.parse("YU6BcM9nME+e2rYQuu0KYQ0OZgC3U0EfbSfotMkssiQ=");
export const bob: PublicKey = PublicKey.fromBytes(new Uint8Array(32).fill(7));

/** An envelope from Alice to Bob whose body starts with the number. */
export function envelope(number: number, bytes = 32): Envelope {
  const body = new Uint8Array(Math.max(bytes, 16));
  new DataView(body.buffer).setUint32(0, number);
  return { sender: alice, recipient: bob, body, nonce: new Uint8Array(24).fill(number & 0xff) };
}

export function numberOf({ body }: Envelope): number {
  return new DataView(body.buffer, body.byteOffset).getUint32(0);
}

export function framedEnvelope(number: number, bytes?: number): Buffer {
  return framed(encodeEnvelope(envelope(number, bytes)));
}

/** The reason of a rejection, or a failure of the test. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it was expected to reject");
}

export async function until(condition: () => boolean, timeoutMs = 5000): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > timeoutMs) throw new Error("the condition did not come about");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
