/** A stranger beside a live link between us and pion, which knows our address and both ufrags, and no password. */

import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createPeer, PublicKey } from "@wice/core";
import { openBackend, parsePrivateKey } from "@wice/node";
import { datagram } from "@wice/node/datagram";
import { createRelay } from "@wice/node/relay";
import { expect, onTestFinished, test } from "vitest";
import { buildGo } from "../kit/go-build.ts";
import { startGoDaemon } from "../kit/go-peer.ts";
import { orderedKeys } from "../kit/ordered-keys.ts";

const gopeer = (await buildGo()) ?? "";
const total = 100_000;
/** So many on their way at once: the kernel would lose more of them, and nothing would be tested. */
const batch = 100;

test.skipIf(gopeer === "").for(["controlling", "controlled"] as const)(
  "changes nothing by 100,000 forged requests and datagrams, when we are the %s one",
  { timeout: 60_000 },
  async (role) => {
    await using relay = await createRelay();
    const keys = orderedKeys();
    const [ours, theirs] = role === "controlling" ? keys : ([keys[1], keys[0]] as const);
    await using daemon = await startGoDaemon(gopeer, {
      ...{ target: `127.0.0.1:${relay.port}`, key: theirs.privateKey, peer: ours.publicKey, echo: true },
    });
    const privateKey = parsePrivateKey(ours.privateKey);
    const { backend } = await openBackend({ relay: relay.url, privateKey });
    const peer = createPeer({ privateKey, backend, agents: [datagram()] });
    onTestFinished(async () => {
      await peer.close();
      await backend.close();
    });
    const session = await peer.connect(PublicKey.parse(theirs.publicKey));
    const got: string[] = [];
    void (async () => {
      for await (const bytes of session) got.push(new TextDecoder().decode(bytes));
    })();
    const say = async (text: string): Promise<void> => {
      await session.send(new TextEncoder().encode(text));
      await expect.poll(() => got).toContain(text);
    };
    await say("before");
    // Both have chosen by then: what changes from here on, the stranger has changed.
    await daemon.until("pair");

    const connection = session.connection;
    const seen = (): number => connection.counts.unauthenticated + connection.counts.strange;
    const pairOf = async () => {
      const { local, remote } = (await session.selectedPair()) ?? {};
      return { local, remote };
    };
    const facts = async () => ({
      pair: await pairOf(),
      states: daemon.find("state").length,
      pairs: daemon.find("pair").length,
      events: session.timeline().filter(({ event }) => event !== "sent" && event !== "heard").length,
    });
    const before = await facts();
    const { address = "", port = 0 } = before.pair.local ?? {};
    const strangers = await Promise.all(Array.from({ length: 4 }, () => openSocket(address)));
    let answers = 0;
    for (const stranger of strangers) stranger.on("message", () => (answers += 1));
    const ufrags = daemon
      .find("signal")
      .flatMap(({ ufrag }) => (typeof ufrag === "string" && ufrag !== "" ? [ufrag] : []));
    const usernames = ufrags.flatMap((one) => ufrags.map((other) => `${one}:${other}`));
    for (let i = 0; i < total; i++) {
      const packet = i % 2 === 0 ? forgedRequest(i, usernames[(i / 2) % usernames.length] ?? "") : Buffer.alloc(64, i);
      strangers[i % 4]?.send(packet, port, address);
      if (i % batch === batch - 1) await expect.poll(seen, { interval: 1 }).toBeGreaterThan(0.98 * i - batch);
    }
    expect(seen()).toBeGreaterThan(0.98 * total - batch);
    expect(await facts()).toEqual(before);
    expect({ got, answers }).toEqual({ got: ["before"], answers: 0 });
    await say("after");
  },
);

async function openSocket(address: string): Promise<Socket> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4").bind(0, address);
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return socket;
}

/** A binding request that claims a role, nominates, and is signed by somebody else (RFC 8489, RFC 8445). */
function forgedRequest(i: number, username: string): Buffer {
  const attributes = [
    attribute(0x0006, Buffer.from(username)),
    attribute(0x0024, Buffer.from([0x7e, 0xff, 0xff, 0xff])),
    attribute(i % 4 === 0 ? 0x802a : 0x8029, Buffer.alloc(8, 0xff)),
    attribute(0x0025, Buffer.alloc(0)),
    attribute(0x0008, randomBytes(20)),
  ];
  const body = Buffer.concat(attributes);
  const header = Buffer.alloc(20);
  header.writeUInt16BE(0x0001, 0);
  header.writeUInt16BE(body.length, 2);
  header.writeUInt32BE(0x2112a442, 4);
  randomBytes(12).copy(header, 8);
  return Buffer.concat([header, body]);
}

function attribute(type: number, value: Buffer): Buffer {
  const padded = Buffer.alloc(4 + 4 * Math.ceil(value.length / 4));
  padded.writeUInt16BE(type, 0);
  padded.writeUInt16BE(value.length, 2);
  value.copy(padded, 4);
  return padded;
}
