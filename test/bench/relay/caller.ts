/**
 * A client that does as little as possible, so that on two cores the server is what is measured: sockets, the bytes of
 * requests put together once, and no more of HTTP than a stream's end is read. Only for servers of ours.
 */

import { connectHttp1 } from "./caller-http1.ts";
import { connectHttp2 } from "./caller-http2.ts";
import type { CallShape, Wire } from "./wire.ts";

export interface Caller {
  /** Sends a request. `done` hears when the answer has arrived in full, or why it did not. */
  post(call: CallShape, body: Buffer, done: Done): void;
  /** Sends a request whose answer goes on for long. Resolves when its first bytes are here. */
  open(call: CallShape, body: Buffer, onData: (chunk: Buffer) => void): Promise<OpenStream>;
  close(): void;
}

export type Done = (error?: Error) => void;

export interface OpenStream {
  /** Ends it from this side. */
  reset(): void;
}

/** With HTTP/2 all calls share a connection, with HTTP/1.1 there are as many as calls at once. */
export function createCaller(url: string, { http }: Pick<Wire, "http">): Caller {
  const { hostname, port } = new URL(url);
  return http === "2" ? connectHttp2(hostname, Number(port)) : connectHttp1(hostname, Number(port));
}
