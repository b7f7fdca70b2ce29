/** {@link Caller} over connections of HTTP/1.1 that are used again. */

import { connect, type Socket } from "node:net";
import type { Caller, Done } from "./caller.ts";
import type { CallShape } from "./wire.ts";

export function connectHttp1(host: string, port: number): Caller {
  const heads = new Map<CallShape, string>();
  const idle: Connection[] = [];
  const sockets = new Set<Socket>();

  const headOf = (call: CallShape): string => {
    let head = heads.get(call);
    if (head === undefined) {
      const fields = Object.entries({ host: `${host}:${port}`, ...call.headers });
      head = `POST ${call.path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}`;
      heads.set(call, head);
    }
    return head;
  };

  const send = (shape: CallShape, body: Buffer, call: Call): Connection => {
    const connection = idle.pop() ?? openConnection(host, port, sockets, idle);
    connection.call = call;
    connection.socket.cork();
    connection.socket.write(`${headOf(shape)}content-length: ${body.length}\r\n\r\n`, "latin1");
    connection.socket.write(body);
    connection.socket.uncork();
    return connection;
  };

  return {
    post: (call, body, done) => void send(call, body, { onData: undefined, done }),
    open: (shape, body, onData) =>
      new Promise((resolve, reject) => {
        const { socket } = send(shape, body, {
          onData(chunk) {
            resolve({ reset: () => void socket.destroy() });
            onData(chunk);
          },
          done: (error) => reject(error ?? new Error("the stream ended")),
        });
      }),
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

interface Call {
  readonly onData: ((chunk: Buffer) => void) | undefined;
  readonly done: Done;
}

interface Connection {
  readonly socket: Socket;
  call: Call | undefined;
  /** What has come and was not read. */
  rest: Buffer;
  /** Where the answer is: before its body, in one of so many bytes to come, or in one of chunks. */
  body: "none" | "chunks" | number;
}

function openConnection(host: string, port: number, sockets: Set<Socket>, idle: Connection[]): Connection {
  const socket = connect({ host, port, noDelay: true });
  const connection: Connection = { socket, call: undefined, rest: empty, body: "none" };
  sockets.add(socket);
  socket.on("data", (chunk) => {
    connection.rest = connection.rest.length === 0 ? chunk : Buffer.concat([connection.rest, chunk]);
    if (!isComplete(connection)) return;
    const { call } = connection;
    Object.assign(connection, { call: undefined, body: "none" });
    idle.push(connection);
    call?.done();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    sockets.delete(socket);
    const at = idle.indexOf(connection);
    if (at >= 0) idle.splice(at, 1);
    connection.call?.done(new Error("the connection was closed"));
  });
  return connection;
}

/** Reads what has come of an answer, and hands over its data. */
function isComplete(connection: Connection): boolean {
  if (connection.body === "none") {
    const end = connection.rest.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const head = connection.rest.toString("latin1", 0, end).toLowerCase();
    if (!head.startsWith("http/1.1 200 ")) throw new Error(`the server answered ${head.slice(0, 12)}`);
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
    connection.body = length === undefined ? "chunks" : Number(length);
    connection.rest = connection.rest.subarray(end + 4);
  }
  return connection.body === "chunks" ? readChunks(connection) : readBytes(connection, connection.body);
}

function readBytes(connection: Connection, left: number): boolean {
  const { rest, call } = connection;
  connection.rest = empty;
  connection.body = left - rest.length;
  if (rest.length > 0) call?.onData?.(rest);
  return connection.body <= 0;
}

/** Our servers send no trailers after the last chunk, which is empty. */
function readChunks(connection: Connection): boolean {
  for (;;) {
    const { rest, call } = connection;
    const line = rest.indexOf("\r\n");
    if (line < 0) return false;
    const size = Number.parseInt(rest.toString("latin1", 0, line), 16);
    const end = line + 2 + size + 2;
    if (rest.length < end) return false;
    connection.rest = rest.subarray(end);
    if (size === 0) return true;
    call?.onData?.(rest.subarray(line + 2, end - 2));
  }
}

const empty: Buffer = Buffer.alloc(0);
