/** HTTP/1.1 by hand on a plain socket, for clients that `node:http` is too well-behaved to be. */

import type { Socket } from "node:net";
import { openSocket } from "./raw-socket.ts";

export interface Http1Client {
  readonly socket: Socket;
  /** Everything that has come so far. */
  readonly received: () => Buffer;
  /** Resolves once `matches` holds for what has come, or rejects when the connection ends before. */
  until(matches: (received: string) => boolean): Promise<string>;
  /** Resolves with everything, when the connection has ended. */
  readonly ended: Promise<string>;
}

export async function openHttp1(port: number): Promise<Http1Client> {
  const socket = await openSocket(port);
  let bytes: Buffer = Buffer.alloc(0);
  const watchers = new Set<() => void>();
  const wake = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    wake();
  });
  const ended = new Promise<string>((resolve) => {
    socket.on("close", () => {
      wake();
      resolve(bytes.toString("latin1"));
    });
  });
  return {
    socket,
    ended,
    received: () => bytes,
    until: (matches) =>
      new Promise((resolve, reject) => {
        const watcher = (): void => {
          const text = bytes.toString("latin1");
          if (matches(text)) resolve(text);
          else if (socket.destroyed) reject(new Error(`the connection ended after: ${text.slice(0, 500)}`));
          else return;
          watchers.delete(watcher);
        };
        watchers.add(watcher);
        watcher();
      }),
  };
}

/** The head of a POST, and a body. Without `content-length` in `headers` it gets the length of the body. */
export function post(path: string, headers: Readonly<Record<string, string>>, body: Uint8Array): Buffer {
  const all: Record<string, string> = { host: "relay", "content-length": String(body.length), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n`), body]);
}

export function chunk(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}

/** How many heads of answers with this status there are. */
export function answers(received: string, status: number): number {
  return received.split(`HTTP/1.1 ${status} `).length - 1;
}
