/** A TURN server over UDP that says what a test wants, and remembers what it was asked. */

import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  attribute,
  encodeStun,
  isSignedWith,
  method,
  parseStun,
  type StunContent,
  type StunMessage,
  uint32,
} from "../../../src/datagram/ice/stun-message.ts";
import { bindLoopback } from "./loopback-socket.ts";

export interface ScriptedTurn extends AsyncDisposable {
  readonly url: string;
  readonly username: string;
  readonly credential: string;
  /** What was asked with the right credentials, in order. */
  readonly asked: readonly TurnRequest[];
  /** Packets for peers: by the short header, and by the long one. */
  readonly carried: readonly ("channel" | "indication")[];
  /** Others are told to take this one. */
  nonce: string;
  /** What becomes of a request. Default: yes to all. An error by its number. */
  says: (request: TurnRequest) => "yes" | "nothing" | number;
}

export interface TurnRequest {
  readonly name: string;
  /** Of a refresh. */
  readonly lifetimeS: number | undefined;
  readonly from: number;
}

const realm = "wice.test";
const names = new Map<number, string>(Object.entries(method).map(([name, number]) => [number, name]));

export async function startScriptedTurn({ username = "alice", credential = "secret" } = {}): Promise<ScriptedTurn> {
  const key = createHash("md5").update(`${username}:${realm}:${credential}`).digest();
  const socket = await bindLoopback();
  const asked: TurnRequest[] = [];
  const carried: ("channel" | "indication")[] = [];
  const server: ScriptedTurn = {
    url: `turn:127.0.0.1:${socket.address().port}`,
    ...{ username, credential, asked, carried, nonce: "first", says: () => "yes" },
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, "close");
    },
  };

  const refusal = (code: number): StunContent["attributes"] => [
    [attribute.errorCode, Buffer.from([0, 0, Math.floor(code / 100), code % 100])],
    [attribute.realm, Buffer.from(realm)],
    [attribute.nonce, Buffer.from(server.nonce)],
  ];
  const answerTo = (message: StunMessage, port: number): Omit<StunContent, "method" | "id"> | undefined => {
    const { attributes } = message;
    if (!attributes.has(attribute.nonce)) return { kind: "error", attributes: refusal(401) };
    if (!isSignedWith(message, key)) return { kind: "error", attributes: refusal(401) };
    if (attributes.get(attribute.nonce)?.toString() !== server.nonce)
      return { kind: "error", attributes: refusal(438) };
    const lifetimeS = attributes.get(attribute.lifetime)?.readUInt32BE(0);
    const request = { name: names.get(message.method) ?? "", lifetimeS, from: port };
    asked.push(request);
    const says = server.says(request);
    if (says === "nothing") return undefined;
    if (typeof says === "number") return { kind: "error", attributes: refusal(says), key };
    return {
      ...{ kind: "success", key },
      attributes: [
        [attribute.lifetime, uint32(lifetimeS ?? 600)],
        [attribute.xorRelayedAddress, { address: "192.0.2.1", port: 40_000 + asked.length }],
        [attribute.xorMappedAddress, { address: "127.0.0.1", port }],
      ],
    };
  };
  socket.on("message", (packet, { address, port }) => {
    const message = parseStun(packet);
    if (message?.kind !== "request") {
      carried.push(message === undefined ? "channel" : "indication");
      return;
    }
    const answer = answerTo(message, port);
    if (answer === undefined) return;
    socket.send(encodeStun({ ...answer, method: message.method, id: message.id }), port, address);
  });
  return server;
}
