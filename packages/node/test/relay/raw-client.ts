/** A gRPC client that does exactly what a test says, on bare `node:http2`. */

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  connect,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import { onTestFinished } from "vitest";
import { framed, subscribeParams, unframed } from "./wire.ts";

export const publishPath = "/cunicu.signaling.Signaling/Publish";
export const subscribePath = "/cunicu.signaling.Signaling/Subscribe";

/** How a call ended. */
export interface Outcome {
  /** The HTTP status; undefined when the stream ended before any. */
  readonly http: number | undefined;
  /** `grpc-status`, from wherever it came. */
  readonly grpc: string | undefined;
  readonly message: string | undefined;
  /** Response headers and trailers together. */
  readonly headers: Readonly<Record<string, unknown>>;
  readonly messages: readonly Buffer[];
  readonly resetCode: number;
}

export interface RawSubscription {
  readonly stream: ClientHttp2Stream;
  /** Every message so far, the first empty one included. */
  readonly messages: Buffer[];
  /** Resolves once that many messages have come. */
  count(messages: number): Promise<void>;
  readonly ended: Promise<Outcome>;
}

export function openSession(
  url: string,
  options: ClientSessionOptions | SecureClientSessionOptions = {},
): ClientHttp2Session {
  const session = connect(url, { settings: { enablePush: false }, ...options });
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

export function openStream(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {});
  return stream;
}

/** What becomes of a stream. Call it before anything can arrive. */
export function outcome(stream: ClientHttp2Stream): Promise<Outcome> {
  const headers: Record<string, unknown> = {};
  const chunks: Buffer[] = [];
  stream.on("response", (received) => Object.assign(headers, received));
  stream.on("trailers", (received) => Object.assign(headers, received));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    stream.on("close", () => {
      const text = (name: string): string | undefined => headers[name] as string | undefined;
      resolve({
        http: headers[":status"] as number | undefined,
        grpc: text("grpc-status"),
        message: text("grpc-message"),
        headers,
        messages: unframed(Buffer.concat(chunks)),
        resetCode: stream.rstCode ?? 0,
      });
    });
  });
}

/** One request whose body comes at once. */
export function call(
  session: ClientHttp2Session,
  path: string,
  body: Uint8Array | undefined,
  headers: OutgoingHttpHeaders = {},
): Promise<Outcome> {
  const stream = openStream(session, path, headers);
  const result = outcome(stream);
  stream.end(body);
  return result;
}

/** Publishes a serialised envelope. */
export function publish(session: ClientHttp2Session, message: Uint8Array): Promise<Outcome> {
  return call(session, publishPath, framed(message));
}

/** Subscribes, and resolves when the first envelope has come: live. */
export async function subscribe(
  session: ClientHttp2Session,
  key: Uint8Array,
  options: { readonly heartbeatMs?: number; readonly headers?: OutgoingHttpHeaders } = {},
): Promise<RawSubscription> {
  const subscription = openSubscription(session, key, options);
  await subscription.count(1);
  return subscription;
}

/** Subscribes without waiting for anything. */
export function openSubscription(
  session: ClientHttp2Session,
  key: Uint8Array,
  { heartbeatMs = 0, headers = {} }: { readonly heartbeatMs?: number; readonly headers?: OutgoingHttpHeaders } = {},
): RawSubscription {
  const stream = openStream(session, subscribePath, headers);
  const ended = outcome(stream);
  const messages: Buffer[] = [];
  let rest: Buffer = Buffer.alloc(0);
  const watchers = new Set<() => void>();
  stream.on("data", (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      messages.push(rest.subarray(5, end));
      rest = rest.subarray(end);
    }
    for (const watcher of watchers) watcher();
  });
  stream.end(framed(subscribeParams({ key, heartbeatMs })));
  return {
    stream,
    messages,
    ended,
    count: (least) =>
      new Promise((resolve) => {
        const watcher = (): void => {
          if (messages.length < least) return;
          watchers.delete(watcher);
          resolve();
        };
        watchers.add(watcher);
        watcher();
      }),
  };
}
