/** A place at a TURN server (RFC 8656): asked for, kept, and given back. */

import { createHash, randomBytes } from "node:crypto";
import type { Candidate, Clock, ServerError, Timer } from "@wice/core";
import { type Base, type BaseHandlers, candidatePriority, familyOf, foundationOf } from "./base.ts";
import type { TurnServer } from "./server-url.ts";
import {
  attribute,
  type Endpoint,
  encodeStun,
  isSignedWith,
  method,
  parseStun,
  readErrorCode,
  readXorAddress,
  type StunContent,
  type StunMessage,
  uint32,
} from "./stun-message.ts";
import { createStunRequests } from "./stun-requests.ts";
import { openTurnTransport, type TurnTransport } from "./turn-transport.ts";

export interface TurnOptions extends BaseHandlers {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly localPreference: number;
  readonly ca: string | Buffer | undefined;
  /** The server does not keep it any more. */
  onLost(base: Base): void;
}

export interface Relay {
  readonly base: Base;
  /** Where the server sees us. */
  readonly mapped: Endpoint | undefined;
}

const udp = uint32(17 << 24);
const usualLifetimeS = 600;
/** Permissions end after 5 minutes, and binding a channel renews one. */
const renewMs = 240_000;
const firstChannel = 0x4000;
const lastChannel = 0x4fff;

/** Resolves with what the server said instead, where it gives none: 701 where it cannot be reached. */
export async function allocateRelay(server: TurnServer, options: TurnOptions): Promise<Relay | ServerError> {
  const { clock, signal, localPreference, ca, onPacket, onLow, onLost } = options;
  const { url, username, password } = server;
  const timers = new Map<string, Timer>();
  const permitted = new Map<string, "asked" | "yes">();
  const channels = new Map<string, number>();
  const peers = new Map<number, Endpoint>();
  /** Nobody answers indications. */
  const indicationId = randomBytes(12);
  let nextChannel = firstChannel;
  let realm: Buffer | undefined;
  let nonce: Buffer | undefined;
  let key: Buffer | undefined;
  let closed = false;
  let base: Base | undefined;

  const lose = (): void => {
    if (closed) return;
    release();
    if (base !== undefined) onLost(base);
  };
  const release = (): void => {
    closed = true;
    for (const timer of timers.values()) timer.cancel();
    requests.end();
    transport?.close();
    signal.removeEventListener("abort", release);
  };
  const later = (name: string, delayMs: number, callback: () => void): void => {
    timers.get(name)?.cancel();
    timers.set(name, clock.schedule(delayMs, callback));
  };

  const onServerPacket = (packet: Buffer): void => {
    if (((packet[0] ?? 0) & 0xc0) === 0x40) {
      const peer = packet.length < 4 ? undefined : peers.get(packet.readUInt16BE(0));
      const end = packet.length < 4 ? 0 : 4 + packet.readUInt16BE(2);
      if (peer !== undefined && base !== undefined && end <= packet.length)
        onPacket(base, packet.subarray(4, end), peer.address, peer.port);
      return;
    }
    const message = parseStun(packet);
    if (message === undefined) return;
    // Whoever can sign for the server could have allocated in our name; others can only make us wait.
    if (message.kind === "success" && key !== undefined && !isSignedWith(message, key)) return;
    if (requests.take(message) || message.kind !== "indication" || message.method !== method.data) return;
    const peer = readXorAddress(message.attributes.get(attribute.xorPeerAddress), message.id);
    const data = message.attributes.get(attribute.data);
    if (peer !== undefined && data !== undefined && base !== undefined) onPacket(base, data, peer.address, peer.port);
  };
  const attempt = async (of: number, attributes: StunContent["attributes"]): Promise<StunMessage | undefined> => {
    const credentials =
      realm === undefined || nonce === undefined
        ? []
        : ([
            [attribute.username, Buffer.from(username)],
            [attribute.realm, realm],
            [attribute.nonce, nonce],
          ] as const);
    return requests.ask({ method: of, attributes: [...attributes, ...credentials], key }, (packet) =>
      transport?.send(packet),
    );
  };
  /** Gives the server the nonce that it wants, as often as it is likely to want one. */
  const ask = async (of: number, attributes: StunContent["attributes"]): Promise<StunMessage | ServerError> => {
    for (let tries = 0; tries < 3; tries++) {
      const answer = await attempt(of, attributes);
      if (answer === undefined) return { url, code: 701, text: "the TURN server does not answer" };
      if (answer.kind === "success") return answer;
      const code = readErrorCode(answer);
      const isAsked = (code === 401 && key === undefined) || code === 438;
      nonce = answer.attributes.get(attribute.nonce) ?? nonce;
      realm ??= answer.attributes.get(attribute.realm);
      if (!isAsked || nonce === undefined || realm === undefined) return { url, code, text: textOf(code) };
      key = createHash("md5").update(`${username}:${realm.toString()}:${password}`).digest();
    }
    return { url, code: 438, text: textOf(438) };
  };

  const refresh = async (lifetimeS: number): Promise<void> => {
    const answer = await ask(method.refresh, [[attribute.lifetime, uint32(lifetimeS)]]);
    if (closed) return;
    if ("code" in answer) lose();
    else keep(answer);
  };
  const keep = (answer: StunMessage): void => {
    const lifetimeS = answer.attributes.get(attribute.lifetime)?.readUInt32BE(0) ?? usualLifetimeS;
    later("allocation", Math.max(1_000, lifetimeS * 500), () => void refresh(usualLifetimeS));
  };
  const permit = (address: string): void => {
    if (closed || permitted.has(address)) return;
    permitted.set(address, "asked");
    void renewPermission(address);
  };
  const renewPermission = async (address: string): Promise<void> => {
    const answer = await ask(method.createPermission, [[attribute.xorPeerAddress, { address, port: 0 }]]);
    if (closed) return;
    if ("code" in answer) {
      // Not to this address; it is asked for again when it is wanted again.
      permitted.delete(address);
      return;
    }
    permitted.set(address, "yes");
    later(`permission ${address}`, renewMs, () => void renewPermission(address));
  };
  const bind = async (peer: Endpoint, number: number): Promise<void> => {
    const channel = Buffer.alloc(4);
    channel.writeUInt16BE(number, 0);
    const answer = await ask(method.channelBind, [
      [attribute.channelNumber, channel],
      [attribute.xorPeerAddress, peer],
    ]);
    if (closed || "code" in answer) return;
    channels.set(nameOf(peer), number);
    later(`channel ${number}`, renewMs, () => void bind(peer, number));
  };

  const wrap = (packet: Uint8Array, address: string, port: number): Buffer => {
    const channel = channels.get(`${address} ${port}`);
    if (channel !== undefined) {
      const framed = Buffer.allocUnsafe(4 + packet.length);
      framed.writeUInt16BE(channel, 0);
      framed.writeUInt16BE(packet.length, 2);
      framed.set(packet, 4);
      return framed;
    }
    return encodeStun({
      method: method.send,
      kind: "indication",
      id: indicationId,
      attributes: [
        [attribute.xorPeerAddress, { address, port }],
        [attribute.data, packet],
      ],
    });
  };

  let transport: TurnTransport | undefined;
  const requests = createStunRequests({ clock, repeats: server.transport === "udp" });
  signal.addEventListener("abort", release, { once: true });
  try {
    transport = await openTurnTransport(server, {
      ...{ signal, ca, onPacket: onServerPacket, onLost: lose },
      onLow: () => base !== undefined && onLow(base),
    });
  } catch {
    release();
    return { url, code: 701, text: "the TURN server cannot be reached" };
  }
  if (closed) {
    transport.close();
    return { url, code: 701, text: "closed" };
  }
  const answer = await ask(method.allocate, [
    [attribute.lifetime, uint32(usualLifetimeS)],
    [attribute.requestedTransport, udp],
  ]);
  if (closed) return { url, code: 701, text: "the TURN server closed the connection" };
  const relayed =
    "code" in answer ? undefined : readXorAddress(answer.attributes.get(attribute.xorRelayedAddress), answer.id);
  if ("code" in answer || relayed === undefined) {
    release();
    return "code" in answer ? answer : { url, code: 701, text: "the TURN server gives no address" };
  }
  keep(answer);
  const mapped = readXorAddress(answer.attributes.get(attribute.xorMappedAddress), answer.id);
  const candidate: Candidate = {
    ...{ type: "relay", protocol: "udp", component: 1, address: relayed.address, port: relayed.port },
    ...{ tcpType: undefined, related: mapped },
    foundation: foundationOf("relay", relayed.address, url),
    priority: candidatePriority("relay", localPreference),
  };
  base = {
    candidate,
    family: familyOf(relayed.address),
    send(packet, address, port) {
      if (!closed && permitted.get(address) === "yes") transport?.send(wrap(packet, address, port));
    },
    sendPaced(packet, address, port) {
      if (!closed) transport?.sendPaced(wrap(packet, address, port));
    },
    get waitingBytes() {
      return transport?.waitingBytes ?? 0;
    },
    permit,
    prefer(address, port) {
      const peer = { address, port };
      if (closed || channels.has(nameOf(peer)) || nextChannel > lastChannel) return;
      if ([...peers.values()].some((each) => nameOf(each) === nameOf(peer))) return;
      const number = nextChannel;
      nextChannel += 1;
      peers.set(number, peer);
      void bind(peer, number);
    },
    close() {
      if (closed) return;
      // Gives the place back; nobody waits for the answer.
      void attempt(method.refresh, [[attribute.lifetime, uint32(0)]]);
      release();
    },
  };
  return { base, mapped };
}

function nameOf({ address, port }: Endpoint): string {
  return `${address} ${port}`;
}

function textOf(code: number): string {
  switch (code) {
    case 401:
      return "the TURN server refuses our credentials";
    case 403:
      return "the TURN server forbids it";
    case 486:
      return "the TURN server has no place left for this user";
    case 508:
      return "the TURN server has no place left";
    default:
      return "the TURN server refuses";
  }
}
