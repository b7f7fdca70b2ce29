/** A Go client, with the habits of upstream's daemons, against our relay. */

import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createConnection } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { EnvelopeSchema, SubscribeParamsSchema } from "@wice/core/wire";
import { createRelay, parseIceServer, type Relay } from "@wice/node/relay";
import { describe, expect, test } from "vitest";
import { createCertificate } from "../kit/certificate.ts";
import { buildGo } from "../kit/go-build.ts";
import { type GoMessage, type GoPeer, type RawResult, startGoClient } from "../kit/go-peer.ts";
import type { LineEvent } from "../kit/lines-process.ts";
import { createTcpProxy } from "../kit/tcp-proxy.ts";
import { generatePair, toBase64 } from "./keys.ts";

const gopeer = (await buildGo()) ?? "";
const suite = describe.skipIf(gopeer === "");
const credentials = { ufrag: "a".repeat(16), pwd: "b".repeat(32) };
const isLive = ({ state }: LineEvent): boolean => state === "live";
const isEnd = ({ state }: LineEvent): boolean => state === "ended" || state === "deaf";

const publishPath = "/cunicu.signaling.Signaling/Publish";
const subscribePath = "/cunicu.signaling.Signaling/Subscribe";

/** Fields of an envelope that the relay takes; a test spoils one of them. */
function validEnvelope(): {
  sender: Uint8Array;
  recipient: Uint8Array;
  contents: { body: Uint8Array; nonce: Uint8Array };
} {
  const [sender, recipient] = [generatePair().publicBytes, generatePair().publicBytes];
  return { sender, recipient, contents: { body: new Uint8Array(16), nonce: new Uint8Array(24) } };
}

const encode = (envelope: Parameters<typeof create<typeof EnvelopeSchema>>[1]): string =>
  toBase64(toBinary(EnvelopeSchema, create(EnvelopeSchema, envelope)));

/** Whether a message still gets through to a subscription of the key. */
async function expectToReach(client: GoPeer, to: string): Promise<void> {
  const ufrag = generatePair().public.slice(0, 16);
  await client.run("publish", { key: generatePair().private, to, message: { credentials: { ufrag } } });
  await client.until("message", (line) => (line as GoMessage).message.credentials?.ufrag === ufrag);
}

suite.concurrent("Go clients on our relay", () => {
  test("pass each other messages, whole and to the last field", async () => {
    await using relay = await createRelay();
    await using bob = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    await using alice = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    const [ours, theirs] = [generatePair(), generatePair()];
    await bob.run("subscribe", { key: theirs.private });
    const message = {
      credentials: { ...credentials, needCreds: true },
      candidate: {
        ...{ type: 4, networkType: 2, tcpType: 3, foundation: "123", component: 1, priority: -7, port: 65535 },
        ...{ address: "2001:db8::1", relatedAddress: { address: "192.0.2.1", port: 9 }, relayProtocol: 4 },
      },
      peer: {
        ...{ change: 2, name: "bücher", publicKey: ours.public, allowedIps: ["10.0.0.0/8", "fd00::/8"] },
        buildInfo: { version: "1", dirty: true },
        hosts: { "a.example": { addresses: [{ addr: toBase64(Uint8Array.of(192, 0, 2, 1)) }] } },
      },
      pske: { publicKey: toBase64(new Uint8Array(1568)), cipherText: toBase64(new Uint8Array(100).fill(7)) },
    };
    const receipt = await alice.run("publish", { key: ours.private, to: theirs.public, message });
    const [received] = await bob.until("message");
    expect(received).toMatchObject({ from: ours.public, to: theirs.public, message, unknownBytes: 0 });
    // How many subscribers took it: a field that upstream's Empty does not know, and that hurts nobody.
    expect(receipt).toMatchObject({ unknownBytes: expect.toSatisfy((bytes: number) => bytes > 0) });
    expect([...alice.complaints, ...bob.complaints]).toEqual([]);
  });

  test("all get what is sent to a key that they share", async () => {
    await using relay = await createRelay();
    const members = await Promise.all([1, 2, 3].map(() => startGoClient(gopeer, `127.0.0.1:${relay.port}`)));
    await using stack = new AsyncDisposableStack();
    for (const member of members) stack.use(member);
    const [ours, group] = [generatePair(), generatePair()];
    for (const member of members) await member.run("subscribe", { key: group.private, group: true });
    const message = { peer: { name: "new" } };
    await (members[0] as GoPeer).run("publish", { key: ours.private, to: group.public, message });
    for (const member of members) {
      const [received] = await member.until("message");
      expect(received).toMatchObject({ from: ours.public, to: group.public, message });
      expect(member.complaints).toEqual([]);
    }
  });

  test("may compress what they send, and are limited by the size that it had before", async () => {
    await using relay = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    const key = generatePair();
    await client.run("subscribe", { key: key.private });
    const compressed = (bytes: number): Promise<RawResult> => {
      const [sender, recipient] = [generatePair().publicBytes, key.publicBytes];
      const body = encode({ sender, recipient, contents: { body: new Uint8Array(bytes), nonce: new Uint8Array(24) } });
      return client.run<RawResult>("raw", { method: publishPath, body, gzip: true });
    };
    expect(await compressed(60_000)).toMatchObject({ code: "OK" });
    await expect.poll(() => relay.counters()).toMatchObject({ published: 1, delivered: 1 });
    // Of zeros, 100 MB take some 100 KB: neither is too much for a socket, and both for an envelope.
    for (const bytes of [70_000, 3_000_000, 100_000_000]) {
      expect(await compressed(bytes), `${bytes} bytes`).toMatchObject({ code: "ResourceExhausted" });
    }
    expect(relay.counters().published).toBe(1);
    await expectToReach(client, key.public);
  });

  test("get an answer to GetBuildInfo", async () => {
    await using relay = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    const [ready] = await client.until("ready");
    expect(ready?.buildInfo).toMatchObject({ version: expect.stringMatching(/\d/), os: process.platform });
  });

  test("wait for a relay that is not there yet", async () => {
    await using relay = await createRelay();
    await using proxy = await createTcpProxy({ target: relay });
    await proxy.refuse();
    await using client = await startGoClient(gopeer, proxy.address);
    const key = generatePair();
    const subscribed = client.run("subscribe", { key: key.private });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(client.find("ready")).toEqual([]);
    await proxy.heal();
    await subscribed;
    await expectToReach(client, key.public);
    expect(client.complaints).toEqual([]);
  });

  test("reach it over IPv6", async () => {
    await using relay = await createRelay({ host: "::1" });
    await using proxy = await createTcpProxy({ host: "::1", target: { host: "::1", port: relay.port } });
    await using client = await startGoClient(gopeer, proxy.address);
    const key = generatePair();
    await client.run("subscribe", { key: key.private });
    await expectToReach(client, key.public);
    expect(proxy.accepted).toBe(1);
  });

  test("reach it over TLS", async () => {
    await using relay = await createRelay({ tls: await createCertificate() });
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`, ["--tls"]);
    const key = generatePair();
    await client.run("subscribe", { key: key.private });
    await expectToReach(client, key.public);
    expect(relay.url).toMatch(/^https:/);
    expect(client.complaints).toEqual([]);
  });

  test("have hundreds of subscriptions on one connection", async () => {
    await using relay = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    const keys = Array.from({ length: 500 }, generatePair);
    await Promise.all(keys.map((key) => client.run("subscribe", { key: key.private })));
    expect(relay.counters()).toMatchObject({ connections: 1, subscriptions: 500 });
    for (const key of keys.slice(-3)) await expectToReach(client, key.public);
  });

  test("get no empty envelope beyond the first, which others get as heartbeats when they ask", async () => {
    await using relay = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    const key = generatePair();
    await client.run("subscribe", { key: key.private });
    const params = create(SubscribeParamsSchema, { key: key.publicBytes, heartbeatMs: 200 });
    const body = toBase64(toBinary(SubscribeParamsSchema, params));
    const asked = await client.run<RawResult>("raw", { method: subscribePath, body, stream: true, count: 6 });
    expect(asked.answers).toEqual(["", "", "", "", "", ""]);
    expect(client.find("subscription", isLive)).toMatchObject([{ firstBytes: 0, unknownBytes: 0 }]);
    expect(client.complaints).toEqual([]);
  });

  test("lose nothing of thousands of envelopes sent at once", async () => {
    await using relay = await createRelay();
    await using bob = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    await using alice = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    const [ours, theirs] = [generatePair(), generatePair()];
    await bob.run("subscribe", { key: theirs.private });
    const burst = { key: ours.private, to: theirs.public, count: 3_000, workers: 16, paddingBytes: 200 };
    expect(await alice.run("burst", burst)).toMatchObject({ acked: 3_000, failed: {} });
    const received = (await bob.until("message", undefined, { count: 3_000 })) as readonly GoMessage[];
    const numbers = new Set(received.map(({ message }) => message.candidate?.foundation));
    expect([received.length, numbers.size]).toEqual([3_000, 3_000]);
    expect([...alice.complaints, ...bob.complaints]).toEqual([]);
  });

  test("are not delayed by one that stopped reading", async () => {
    await using relay = await createRelay({ limits: { maxQueuedEnvelopes: 256 } });
    await using frozen = await startGoClient(gopeer, `127.0.0.1:${relay.port}`, ["--window=65535"]);
    await using bob = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    await using alice = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    const [ours, theirs] = [generatePair(), generatePair()];
    await frozen.run("subscribe", { key: theirs.private, frozen: true });
    await bob.run("subscribe", { key: theirs.private });
    const burst = { key: ours.private, to: theirs.public, count: 3_000, workers: 8, paddingBytes: 1_000 };
    expect(await alice.run("burst", burst)).toMatchObject({ acked: 3_000, failed: {} });
    await bob.until("message", undefined, { count: 2_970 });
    expect(relay.counters().dropped["queue-envelopes"]).toBeGreaterThan(2_000);
  });
});

suite.concurrent("Go clients that our relay refuses", () => {
  const without = (field: string): object => ({ ...validEnvelope(), [field]: undefined });
  const sized = (part: "body" | "nonce", length: number): object => {
    const envelope = validEnvelope();
    return { ...envelope, contents: { ...envelope.contents, [part]: new Uint8Array(length) } };
  };

  test.each([
    ["without contents", without("contents")],
    ["without sender", without("sender")],
    ["without recipient", without("recipient")],
    ["with a sender of 31 bytes", { ...validEnvelope(), sender: new Uint8Array(31).fill(9) }],
    ["for a recipient of 33 bytes", { ...validEnvelope(), recipient: new Uint8Array(33).fill(9) }],
    ["for the zero key", { ...validEnvelope(), recipient: new Uint8Array(32) }],
    ["with a nonce of 23 bytes", sized("nonce", 23)],
    ["with a body of 15 bytes", sized("body", 15)],
    ["that are empty", {}],
  ])("see InvalidArgument for envelopes %s", async (_, envelope) => {
    await using relay = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    expect(await client.run("raw", { method: publishPath, body: encode(envelope) })).toMatchObject({
      code: "InvalidArgument",
      message: expect.stringMatching(/./),
    });
    expect(relay.counters().published).toBe(0);
  });

  test("see InvalidArgument for what is no protobuf", async () => {
    await using relay = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    const body = toBase64(Uint8Array.of(0x0a, 0xff, 0xff));
    expect(await client.run("raw", { method: publishPath, body })).toMatchObject({ code: "InvalidArgument" });
    expect(await client.run("raw", { method: subscribePath, body, stream: true })).toMatchObject({
      code: "InvalidArgument",
    });
  });

  test("see InvalidArgument for subscriptions of keys that are none", async () => {
    await using relay = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    for (const key of [new Uint8Array(), new Uint8Array(31).fill(9), new Uint8Array(32), new Uint8Array(33).fill(9)]) {
      const body = toBase64(toBinary(SubscribeParamsSchema, create(SubscribeParamsSchema, { key })));
      const answer = await client.run<RawResult>("raw", { method: subscribePath, body, stream: true });
      expect(answer).toMatchObject({ code: "InvalidArgument", answers: null });
    }
    await expect(client.run("getRelays", { key: toBase64(new Uint8Array(31)) })).rejects.toMatchObject({
      code: "InvalidArgument",
    });
  });

  test("see ResourceExhausted for what is too large, and go on", async () => {
    await using relay = await createRelay({ limits: { maxEnvelopeBytes: 2_000 } });
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    const key = generatePair();
    await client.run("subscribe", { key: key.private });
    for (const length of [2_000, 1_000_000]) {
      const body = encode(sized("body", length));
      const answer = await client.run<RawResult>("raw", { method: publishPath, body });
      expect(answer).toMatchObject({ code: "ResourceExhausted", message: expect.stringContaining("2000") });
    }
    await expectToReach(client, key.public);
    expect(relay.counters().connections).toBe(1);
  });

  test("see Unimplemented for methods and services that are none", async () => {
    await using relay = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    for (const method of ["/cunicu.signaling.Signaling/Nothing", "/cunicu.signaling.Nothing/Publish", "/x"]) {
      expect(await client.run("raw", { method }), method).toMatchObject({ code: "Unimplemented" });
    }
  });

  test("may send any metadata, and fields that nobody knows", async () => {
    await using relay = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    const metadata = { authorization: "Bearer x", "x-trace-bin": "\u0000\u0001", "x-long": "y".repeat(4_000) };
    const body = Buffer.concat([Buffer.from(encode(validEnvelope()), "base64"), Buffer.from([0x9a, 0x06, 0x01, 0x61])]);
    const answer = await client.run<RawResult>("raw", { method: publishPath, body: toBase64(body), metadata });
    expect(answer).toMatchObject({ code: "OK", answers: [expect.any(String)] });
    expect(relay.counters()).toMatchObject({ published: 1, reencoded: 1 });
  });
});

suite.concurrent("Go clients that ask our relay for TURN servers", () => {
  const secret = "north+star/=";

  test("get their URLs, with credentials that the TURN server can check", async () => {
    const urls = [
      "stun:stun.example.org:3478",
      "turn:user:pass@turn.example.org:3478?transport=udp",
      `turn:turn.example.org:3478?transport=tcp&secret=${secret}&ttl=2h`,
      `turns:turn.example.org:5349?secret=${secret}`,
    ];
    await using relay = await createRelay({ iceServers: urls.map(parseIceServer) });
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    const key = generatePair();
    interface Answer {
      readonly relays: readonly { url: string; username?: string; password?: string; expires?: { seconds: number } }[];
    }
    const { answer } = await client.run<{ answer: Answer }>("getRelays", { key: key.public });
    const nowUnix = Date.now() / 1_000;
    expect(answer.relays).toMatchObject([
      { url: "stun:stun.example.org:3478" },
      { url: "turn:turn.example.org:3478?transport=udp", username: "user", password: "pass" },
      { url: "turn:turn.example.org:3478?transport=tcp" },
      { url: "turns:turn.example.org:5349" },
    ]);
    for (const [index, ttlSeconds] of [
      [2, 7_200],
      [3, 3_600],
    ] as const) {
      const { username, password, expires } = answer.relays[index] as Answer["relays"][number];
      const [expiry = "", ...name] = username?.split(":") ?? [];
      expect(Math.abs(Number(expiry) - nowUnix - ttlSeconds)).toBeLessThan(10);
      expect([name.join(":"), expires?.seconds]).toEqual([key.public, Number(expiry)]);
      expect(password).toBe(createHmac("sha1", secret).update(`${username}`).digest("base64"));
    }
  });

  test("get an empty list where there are none, since daemons stop when the call fails", async () => {
    await using relay = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    expect(await client.run("getRelays", { key: generatePair().public })).toEqual({ answer: {}, unknownBytes: 0 });
  });
});

suite.concurrent("Go clients whose relay goes away", () => {
  async function restart(relay: Relay): Promise<Relay & AsyncDisposable> {
    await relay.close();
    return createRelay({ port: relay.port });
  }

  test("see Unavailable, subscribe again, and get messages from the relay that takes its place", async () => {
    const first = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${first.port}`);
    const keys = [generatePair(), generatePair(), generatePair()];
    for (const key of keys) await client.run("subscribe", { key: key.private });
    await using second = await restart(first);
    await client.until("subscription", isLive, { count: 6 });
    expect(client.find("subscription", isEnd).map(({ state, code }) => `${state} ${code}`)).toEqual(
      keys.map(() => "ended Unavailable"),
    );
    for (const key of keys) await expectToReach(client, key.public);
    await using third = await restart(second);
    await client.until("subscription", isLive, { count: 9 });
    for (const key of keys) await expectToReach(client, key.public);
    expect(third.counters()).toMatchObject({ subscriptions: 3 });
    expect(client.complaints).toEqual([]);
  });

  test("do not notice in their calls that it is replaced", async () => {
    const first = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${first.port}`);
    const [ours, theirs] = [generatePair(), generatePair()];
    await client.run("subscribe", { key: theirs.private });
    const burst = client.run("burst", { key: ours.private, to: theirs.public, count: 2_000, workers: 8 });
    await client.until("message", undefined, { count: 300 });
    await using second = await restart(first);
    // Calls under way were answered; those that came too late were refused so that grpc-go tries them again.
    expect(await burst).toMatchObject({ acked: 2_000, failed: {} });
    expect(second.counters().published).toBeGreaterThan(0);
    await expectToReach(client, theirs.public);
    expect(client.complaints).toEqual([]);
  });

  test("do not notice it over a slow line either, where calls arrive after the relay has said farewell", async () => {
    const first = await createRelay();
    await using proxy = await createTcpProxy({ target: first });
    await using client = await startGoClient(gopeer, proxy.address);
    const [ours, theirs] = [generatePair(), generatePair()];
    await client.run("subscribe", { key: theirs.private });
    proxy.delay(60);
    const burst = client.run("burst", { key: ours.private, to: theirs.public, count: 400, workers: 32 });
    await client.until("message", undefined, { count: 50 });
    await using second = await restart(first);
    expect(await burst).toMatchObject({ acked: 400, failed: {} });
    expect(second.counters().published).toBeGreaterThan(0);
    await expectToReach(client, theirs.public);
  });

  test("get what waits for them before the end", async () => {
    const relay = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    const [ours, theirs] = [generatePair(), generatePair()];
    await client.run("subscribe", { key: theirs.private });
    await client.run("burst", { key: ours.private, to: theirs.public, count: 500, workers: 8, paddingBytes: 1_000 });
    await relay.close();
    await client.until("subscription", isEnd);
    expect(client.find("message")).toHaveLength(500);
  });

  test("subscribe again when the connection is cut", async () => {
    await using relay = await createRelay();
    await using proxy = await createTcpProxy({ target: relay });
    await using client = await startGoClient(gopeer, proxy.address);
    const key = generatePair();
    await client.run("subscribe", { key: key.private });
    // It exits when the answer to its GetBuildInfo is lost, as daemons do.
    await client.until("ready");
    for (const reset of [true, false]) {
      const live = client.find("subscription", isLive).length;
      proxy.cut({ reset });
      await client.until("subscription", isLive, { count: live + 1 });
      await expectToReach(client, key.public);
    }
    expect(client.complaints).toEqual([]);
    expect(relay.counters()).toMatchObject({ subscriptions: 1, topics: 1 });
  });

  test("leave nothing behind when they are killed", async () => {
    await using relay = await createRelay();
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    await client.run("subscribe", { key: generatePair().private });
    expect(relay.counters()).toMatchObject({ connections: 1, subscriptions: 1, topics: 1 });
    await client.kill();
    await expect.poll(() => relay.counters()).toMatchObject({ connections: 0, subscriptions: 0, topics: 0 });
  });
});

/** grpc-go pings after 10 s of silence at the earliest; these tests wait for that, all at the same time. */
suite.concurrent("Go clients with keepalive", { timeout: 40_000 }, () => {
  const keepalive = ["--keepalive-time=10s", "--keepalive-timeout=4s"];

  test("ping our relay, which answers and keeps the connection", async () => {
    await using relay = await createRelay();
    await using proxy = await createTcpProxy({ target: relay });
    await using client = await startGoClient(gopeer, proxy.address, [...keepalive, "--keepalive-without-stream"]);
    const key = generatePair();
    await client.run("subscribe", { key: key.private });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const before = { ...proxy.bytes };
    await new Promise((resolve) => setTimeout(resolve, 24_000));
    // Two PINGs of 17 bytes, and at least as many answers.
    expect(proxy.bytes.fromClients - before.fromClients).toBeGreaterThanOrEqual(34);
    expect(proxy.bytes.fromTarget - before.fromTarget).toBeGreaterThanOrEqual(34);
    await expectToReach(client, key.public);
    expect([proxy.accepted, client.find("subscription")]).toEqual([1, [expect.objectContaining({ state: "live" })]]);
  });

  test("notice a half-open connection, and subscribe again", async () => {
    await using relay = await createRelay();
    await using proxy = await createTcpProxy({ target: relay });
    await using client = await startGoClient(gopeer, proxy.address, keepalive);
    const key = generatePair();
    await client.run("subscribe", { key: key.private });
    // It exits when the answer to its GetBuildInfo is lost, as daemons do.
    await client.until("ready");
    proxy.blackhole();
    await proxy.heal();
    await client.until("subscription", isLive, { count: 2, timeoutMs: 30_000 });
    await expectToReach(client, key.public);
    expect(client.find("subscription", isEnd)).toMatchObject([{ code: "Unavailable" }]);
  });
});

suite("The relay under a Go client", () => {
  test("takes no offence at a connection that says nothing", async () => {
    await using relay = await createRelay();
    const silent = createConnection(relay.port, "127.0.0.1");
    await once(silent, "connect");
    await using client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
    await client.until("ready");
    silent.destroy();
  });
});
