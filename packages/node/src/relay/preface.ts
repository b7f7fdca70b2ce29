/** Tells HTTP/2 with prior knowledge from HTTP/1.1 on one plain port, by the first bytes that a client sends. */

import type { Socket } from "node:net";

export type Protocol = "http1" | "http2";

/** What every HTTP/2 client begins with (RFC 9113, section 3.4); no method of HTTP/1.1 is spelled so. */
const start = /* @__PURE__ */ Buffer.from("PRI ");

/**
 * Calls `take` once it is clear what the client speaks, with a paused socket that has not lost a byte. A socket that
 * does not make it clear for `timeoutMs` is destroyed.
 */
export function recognise(socket: Socket, timeoutMs: number, take: (protocol: Protocol) => void): void {
  let held: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const length = Math.min(held.length, start.length);
    const matches = held.compare(start, 0, length, 0, length) === 0;
    if (matches && length < start.length) return;
    forget();
    socket.pause();
    socket.unshift(held);
    take(matches ? "http2" : "http1");
  };
  const forget = (): void => {
    clearTimeout(timer);
    socket.off("data", onData);
    socket.off("close", forget);
  };
  const timer = setTimeout(() => socket.destroy(), timeoutMs).unref();
  socket.on("data", onData);
  socket.on("close", forget);
}
