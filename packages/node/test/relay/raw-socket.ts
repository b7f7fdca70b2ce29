/** HTTP/2 by hand on a plain socket, for clients that `node:http2` is too well-behaved to be. */

import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { subscribePath } from "./raw-client.ts";
import { framed, subscribeParams } from "./wire.ts";

const [data, headersType, settings] = [0x0, 0x1, 0x4];
const [endStream, endHeaders] = [0x1, 0x4];

export async function openSocket(port: number, host = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port, host });
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

/** The preface, and a stream window as large as it may be. */
export function preface(): Buffer {
  const initialWindowSize = Buffer.from([0x00, 0x04, 0x7f, 0xff, 0xff, 0xff]);
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    http2Frame(settings, 0, 0, initialWindowSize),
  ]);
}

/** The frames of a Subscribe on stream `id` (odd). */
export function subscribeFrames(id: number, key: Uint8Array): Buffer {
  return requestFrames(id, subscribePath, "application/grpc", framed(subscribeParams({ key })));
}

/** The frames of a POST on stream `id` (odd). */
export function requestFrames(id: number, path: string, contentType: string, body: Uint8Array): Buffer {
  const headers = Buffer.concat([
    header(":method", "POST"),
    header(":scheme", "http"),
    header(":path", path),
    header(":authority", "relay"),
    header("content-type", contentType),
    header("te", "trailers"),
  ]);
  return Buffer.concat([http2Frame(headersType, endHeaders, id, headers), http2Frame(data, endStream, id, body)]);
}

function http2Frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A literal header field without indexing and without Huffman coding (RFC 7541, section 6.2.2). */
function header(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);
}
