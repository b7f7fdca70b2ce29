/** A TURN server on loopback that refuses everybody: 401 for whatever credentials there are (RFC 8489, RFC 8656). */

import { createSocket } from "node:dgram";
import { once } from "node:events";

export interface RefusingTurn extends AsyncDisposable {
  /** For `urls`. */
  readonly url: string;
  /** Requests that came with credentials, and were refused. */
  readonly refused: number;
}

const allocateRequest = 0x0003;
const allocateError = 0x0113;
const attributes = { messageIntegrity: 0x0008, errorCode: 0x0009, realm: 0x0014, nonce: 0x0015 };
const headerBytes = 20;

export async function startRefusingTurn(): Promise<RefusingTurn> {
  const socket = createSocket("udp4");
  let refused = 0;
  socket.on("message", (request, { address, port }) => {
    if (request.length < headerBytes || request.readUInt16BE(0) !== allocateRequest) return;
    if (hasAttribute(request, attributes.messageIntegrity)) refused += 1;
    socket.send(refusal(request.subarray(4, headerBytes)), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    url: `turn:127.0.0.1:${socket.address().port}?transport=udp`,
    get refused() {
      return refused;
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, "close");
    },
  };
}

/** @param transaction the magic cookie and the id of the request */
function refusal(transaction: Uint8Array): Uint8Array {
  const body = Buffer.concat([
    attribute(attributes.errorCode, Buffer.concat([Buffer.from([0, 0, 4, 1]), Buffer.from("Unauthorized")])),
    attribute(attributes.realm, Buffer.from("test")),
    attribute(attributes.nonce, Buffer.from("once")),
  ]);
  const head = Buffer.alloc(4);
  head.writeUInt16BE(allocateError, 0);
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, transaction, body]);
}

function attribute(type: number, value: Uint8Array): Uint8Array {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc(-value.length & 3)]);
}

function hasAttribute(message: Buffer, wanted: number): boolean {
  for (let at = headerBytes; at + 4 <= message.length; ) {
    if (message.readUInt16BE(at) === wanted) return true;
    const length = message.readUInt16BE(at + 2);
    at += 4 + length + (-length & 3);
  }
  return false;
}
