/** {@link Caller} over one connection of HTTP/2 (RFC 9113), with the header compression of RFC 7541 at its simplest. */

import { connect } from "node:net";
import type { Caller, Done } from "./caller.ts";
import type { CallShape } from "./wire.ts";

const frameHeadBytes = 9;
const type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
const endStream = 0x1;
const acknowledge = 0x1;
const endHeaders = 0x4;
const largestWindow = 2 ** 31 - 1;

/** A call that is not over. */
interface Call {
  readonly onData: ((chunk: Buffer) => void) | undefined;
  readonly done: Done;
}

export function connectHttp2(host: string, port: number): Caller {
  const socket = connect({ host, port, noDelay: true });
  const calls = new Map<number, Call>();
  const authority = `${host}:${port}`;
  /** Header blocks that refer to what the server's table has, by method. */
  const known = new Map<CallShape, Buffer>();
  let nextId = 1;
  let rest: Buffer = Buffer.alloc(0);

  // Windows so large that nobody has to look after them again.
  const initialWindow = Buffer.from([0, 4, 0, 0, 0, 0]);
  initialWindow.writeUInt32BE(largestWindow, 2);
  const increment = Buffer.alloc(4);
  increment.writeUInt32BE(largestWindow - 65_535);
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(Buffer.concat([frame(type.settings, 0, 0, initialWindow), frame(type.windowUpdate, 0, 0, increment)]));

  /** The first use of a method puts its headers into the server's table; later ones name them by their place in it. */
  const headersOf = (call: CallShape): Buffer => {
    const block = known.get(call);
    if (block !== undefined) return block;
    const fields: [string, string][] = [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", call.path],
      [":authority", authority],
      ...Object.entries(call.headers),
    ];
    // What is added pushes back what was there before: the places of another method are no longer right.
    known.clear();
    known.set(call, Buffer.from(fields.map((_, i) => 0x80 | (61 + fields.length - i))));
    return Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.of(0x40), text(name), text(value)])));
  };

  const send = (shape: CallShape, body: Buffer, call: Call): number => {
    const id = nextId;
    nextId += 2;
    calls.set(id, call);
    const headers = headersOf(shape);
    const bytes = Buffer.allocUnsafe(2 * frameHeadBytes + headers.length + body.length);
    writeHead(bytes, 0, headers.length, type.headers, endHeaders, id);
    headers.copy(bytes, frameHeadBytes);
    const data = frameHeadBytes + headers.length;
    writeHead(bytes, data, body.length, type.data, endStream, id);
    body.copy(bytes, data + frameHeadBytes);
    socket.write(bytes);
    return id;
  };

  const take = (kind: number, flags: number, id: number, payload: Buffer): void => {
    const call = calls.get(id);
    if (kind === type.settings && (flags & acknowledge) === 0) socket.write(frame(type.settings, acknowledge, 0));
    else if (kind === type.ping && (flags & acknowledge) === 0) socket.write(frame(type.ping, acknowledge, 0, payload));
    else if (kind === type.reset) finish(id, new Error("the server reset the stream"));
    else if (call === undefined) return;
    else if (kind === type.data || kind === type.headers) {
      if (kind === type.data && payload.length > 0) call.onData?.(payload);
      if ((flags & endStream) !== 0) finish(id);
    }
  };

  const finish = (id: number, error?: Error): void => {
    const call = calls.get(id);
    calls.delete(id);
    call?.done(error);
  };

  const fail = (error: Error): void => {
    for (const id of [...calls.keys()]) finish(id, error);
  };

  socket.on("data", (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= frameHeadBytes) {
      const end = at + frameHeadBytes + bytes.readUIntBE(at, 3);
      if (bytes.length < end) break;
      take(
        bytes[at + 3] as number,
        bytes[at + 4] as number,
        bytes.readUInt32BE(at + 5) & 0x7fffffff,
        bytes.subarray(at + frameHeadBytes, end),
      );
      at = end;
    }
    rest = bytes.subarray(at);
  });
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the connection was closed")));

  return {
    post: (call, body, done) => void send(call, body, { onData: undefined, done }),
    open: (shape, body, onData) =>
      new Promise((resolve, reject) => {
        const id = send(shape, body, {
          onData(chunk) {
            resolve({ reset: () => void (calls.delete(id) && socket.write(frame(type.reset, 0, id, cancel))) });
            onData(chunk);
          },
          done: (error) => reject(error ?? new Error("the stream ended")),
        });
      }),
    close: () => socket.destroy(),
  };
}

const cancel: Buffer = Buffer.of(0, 0, 0, 8);

function frame(kind: number, flags: number, id: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(frameHeadBytes + payload.length);
  writeHead(bytes, 0, payload.length, kind, flags, id);
  payload.copy(bytes, frameHeadBytes);
  return bytes;
}

function writeHead(bytes: Buffer, at: number, length: number, kind: number, flags: number, id: number): void {
  bytes.writeUIntBE(length, at, 3);
  bytes[at + 3] = kind;
  bytes[at + 4] = flags;
  bytes.writeUInt32BE(id, at + 5);
}

/** A string literal of less than 127 bytes, as it is. */
function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
}
