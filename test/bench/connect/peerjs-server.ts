/**
 * What PeerJS's client needs of a server, and nothing else: WebSockets of clients that name themselves, and messages from
 * one to another. PeerServer does the same and more, so it is no faster.
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

export interface PeerJsServer extends AsyncDisposable {
  readonly port: number;
  /** How many messages went from one client to another so far. */
  messages(): number;
}

interface Message {
  readonly type: string;
  readonly dst?: string;
}

export async function startPeerJsServer(): Promise<PeerJsServer> {
  const clients = new Map<string, Duplex>();
  let messages = 0;

  const take = (src: string, message: Message): void => {
    // The rest are heartbeats.
    if (message.dst === undefined) return;
    messages += 1;
    clients.get(message.dst)?.write(encodeText(JSON.stringify({ ...message, src })));
  };
  const server = createServer((_, response) => response.writeHead(404).end());
  server.on("upgrade", ({ url = "", headers }: IncomingMessage, socket: Duplex) => {
    const id = new URL(url, "http://localhost").searchParams.get("id") ?? "";
    clients.set(id, socket);
    socket.on("close", () => clients.delete(id)).on("error", () => socket.destroy());
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n" +
        `sec-websocket-accept: ${acceptanceOf(headers["sec-websocket-key"] ?? "")}\r\n\r\n`,
    );
    socket.write(encodeText(JSON.stringify({ type: "OPEN" })));
    let rest: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (let frame = readFrame(rest); frame !== undefined; frame = readFrame(rest)) {
        rest = rest.subarray(frame.end);
        if (frame.opcode === opcodes.text) take(id, JSON.parse(frame.payload.toString()));
        if (frame.opcode === opcodes.close) socket.end();
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    messages: () => messages,
    async [Symbol.asyncDispose]() {
      for (const socket of clients.values()) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const opcodes = { text: 1, close: 8 };

/** RFC 6455, section 1.3. */
function acceptanceOf(key: string): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

/** A frame of the client's, whole and masked (RFC 6455, section 5.2); undefined when not all of it is there. */
function readFrame(
  bytes: Buffer,
): { readonly opcode: number; readonly payload: Buffer; readonly end: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const maskAt = { 126: 4, 127: 10 }[short] ?? 2;
  const start = maskAt + 4;
  if (bytes.length < start) return undefined;
  const length = maskAt === 4 ? bytes.readUInt16BE(2) : maskAt === 10 ? Number(bytes.readBigUInt64BE(2)) : short;
  const end = start + length;
  if (bytes.length < end) return undefined;
  const payload = bytes.subarray(start, end).map((byte, at) => byte ^ (bytes[maskAt + (at % 4)] ?? 0));
  return { opcode: bytes.readUInt8(0) & 0x0f, payload: Buffer.from(payload), end };
}

/** A frame of a server's. PeerJS's messages are far below the length that wants more than two bytes. */
function encodeText(text: string): Buffer {
  const payload = Buffer.from(text);
  if (payload.length < 126) return Buffer.concat([Buffer.of(0x80 | opcodes.text, payload.length), payload]);
  const head = Buffer.of(0x80 | opcodes.text, 126, 0, 0);
  head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}
