/** Our backend and a Go client with each other: messages, over our relay and over a Go server. */

import { type Backend, createBackend, PublicKey, type ReceivedMessage, type Subscription } from "@wice/core";
import { CandidateType, NetworkType, PeerDescriptionChange } from "@wice/core/wire";
import { createGrpcTransport, parsePrivateKey } from "@wice/node";
import { createRelay } from "@wice/node/relay";
import { describe, expect, test } from "vitest";
import { buildGo } from "../kit/go-build.ts";
import { type GoPeer, type GoServer, startGoClient, startGoServer } from "../kit/go-peer.ts";
import { generatePair, toBase64 } from "./keys.ts";

const gopeer = (await buildGo()) ?? "";
const suite = describe.skipIf(gopeer === "");
const credentials = { ufrag: "a".repeat(16), pwd: "b".repeat(32), needCreds: true };

interface Server extends AsyncDisposable {
  readonly address: string;
  /** Ends everything, and comes back on the same port a moment later. */
  restart(): Promise<void>;
}

async function startOurs(): Promise<Server> {
  let relay = await createRelay();
  const { port } = relay;
  return {
    address: `127.0.0.1:${port}`,
    async restart() {
      await relay.close();
      relay = await createRelay({ port });
    },
    [Symbol.asyncDispose]: () => relay.close(),
  };
}

async function startTheirs(): Promise<Server> {
  const server = await startGoServer(gopeer);
  return {
    address: server.address,
    async restart() {
      await server.run("stop");
      await server.run("start");
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
    },
  };
}

function connect(address: string, options: { readonly subscribeTimeoutMs?: number } = {}): Backend {
  const url = `grpc://${address}?insecure=true`;
  const retry = { initialMs: 20, maxMs: 200 };
  return createBackend(createGrpcTransport({ url, publishTimeoutMs: 1_000, ...options }), { retry });
}

/** A pair for our side and for Go's. */
function pairUp() {
  const [ours, theirs] = [generatePair(), generatePair()];
  return { ours: parsePrivateKey(ours.private), theirs: PublicKey.parse(theirs.public), go: theirs, wice: ours };
}

async function nextOf(subscription: Subscription, count = 1): Promise<ReceivedMessage[]> {
  const iterator = subscription[Symbol.asyncIterator]();
  const received: ReceivedMessage[] = [];
  while (received.length < count) {
    const { value, done } = await iterator.next();
    if (done) break;
    received.push(value);
  }
  return received;
}

/** Publishes from the Go client until the subscription has one of them, as daemons repeat their credentials. */
async function expectToArrive(client: GoPeer, from: string, to: string, subscription: Subscription): Promise<void> {
  const ufrag = generatePair().public.slice(0, 16);
  const arrived = (async () => {
    for await (const { message } of subscription) if (message.credentials?.ufrag === ufrag) return true;
    return false;
  })();
  const over = new AbortController();
  const repeating = (async () => {
    while (!over.signal.aborted) {
      await client.run("publish", { key: from, to, message: { credentials: { ufrag } } });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  expect(await arrived).toBe(true);
  over.abort();
  await repeating;
}

for (const [where, start] of [
  ["our relay", startOurs],
  ["a Go server", startTheirs],
] as const) {
  suite.concurrent(`Over ${where}`, () => {
    test("a Go client opens whatever our backend sends, to the last field that it knows", async () => {
      await using server = await start();
      await using backend = connect(server.address);
      await using client = await startGoClient(gopeer, server.address);
      const { ours, theirs, go } = pairUp();
      await client.run("subscribe", { key: go.private });
      const relatedAddress = { address: "192.0.2.1", port: 9 };
      const candidate = {
        type: CandidateType.SERVER_REFLEXIVE,
        networkType: NetworkType.UDP4,
        foundation: "1",
        component: 1,
        priority: 5,
        address: "::1",
        port: 7,
        relatedAddress,
      };
      const peer = {
        change: PeerDescriptionChange.UPDATE,
        name: "bücher",
        publicKey: ours.publicKey.toBytes(),
        allowedIps: ["10.0.0.0/8"],
      };
      const pske = { publicKey: Uint8Array.of(1, 2), cipherText: new Uint8Array(1_000) };
      await backend.publish({ ours, theirs }, { credentials });
      await backend.publish({ ours, theirs }, { candidate });
      await backend.publish({ ours, theirs }, { credentials, peer, pske });
      await backend.publish({ ours, theirs }, { payload: new Uint8Array(10_000) });
      const messages = await client.until("message", undefined, { count: 4 });
      expect(messages).toMatchObject([
        { from: ours.publicKey.toString(), to: go.public, message: { credentials } },
        { message: { candidate } },
        {
          message: {
            credentials,
            peer: { ...peer, publicKey: ours.publicKey.toString() },
            pske: { publicKey: toBase64(pske.publicKey), cipherText: toBase64(pske.cipherText) },
          },
        },
        { message: {} },
      ]);
      // Header and payload: fields that it does not know, inside the box and nowhere else.
      for (const message of messages) expect(message.unknownBytes).toBeGreaterThan(0);
      for (const message of messages) expect(message.envelopeUnknownBytes).toBe(0);
      expect(client.complaints).toEqual([]);
    });

    test("our backend opens what a Go client sends", async () => {
      await using server = await start();
      await using backend = connect(server.address);
      await using client = await startGoClient(gopeer, server.address);
      const { ours, theirs, go, wice } = pairUp();
      const subscription = await backend.subscribe({ ours, theirs });
      const candidate = {
        type: 3,
        networkType: 2,
        foundation: "7",
        component: 1,
        priority: -2,
        address: "::1",
        port: 65_535,
      };
      const peer = { change: 1, name: "b", publicKey: go.public, allowedIps: ["fd00::/8"], buildInfo: { dirty: true } };
      const hosts = { "a.example": { addresses: [{ addr: toBase64(Uint8Array.of(192, 0, 2, 1)) }] } };
      const pske = { publicKey: "AQI=", cipherText: "Aw==" };
      for (const message of [{ credentials }, { candidate }, { peer: { ...peer, hosts } }, { credentials, pske }]) {
        await client.run("publish", { key: go.private, to: wice.public, message });
      }
      const received = await nextOf(subscription, 4);
      for (const { sender, ...rest } of received) {
        expect(sender.toString()).toBe(go.public);
        expect(rest).toMatchObject({ instance: undefined, fresh: false, downgraded: false });
      }
      expect(received.map(({ message }) => message)).toMatchObject([
        { credentials },
        { candidate },
        {
          peer: {
            ...peer,
            publicKey: go.publicBytes,
            hosts: { "a.example": { addresses: [{ addr: Uint8Array.of(192, 0, 2, 1) }] } },
          },
        },
        { credentials, pske: { publicKey: Uint8Array.of(1, 2), cipherText: Uint8Array.of(3) } },
      ]);
      expect(client.complaints).toEqual([]);
    });

    test("a group of both kinds shares a key, and no daemon of it crashes", async () => {
      await using server = await start();
      await using backend = connect(server.address);
      await using client = await startGoClient(gopeer, server.address);
      const { ours, go } = pairUp();
      const group = generatePair();
      const [groupKey, groupPublic] = [parsePrivateKey(group.private), PublicKey.parse(group.public)];
      await client.run("subscribe", { key: group.private, group: true });
      const subscription = await backend.subscribe({ ours: groupKey, theirs: PublicKey.any }, { group: true });
      for (const message of [{ payload: Uint8Array.of(1) }, { credentials }, { peer: { name: "new" } }]) {
        await backend.publish({ ours, theirs: groupPublic }, message, { group: true });
      }
      expect(await client.until("message", undefined, { count: 3 })).toMatchObject([
        { from: ours.publicKey.toString(), to: group.public, message: { peer: {} } },
        { message: { credentials, peer: {} } },
        { message: { peer: { name: "new" } } },
      ]);
      await client.run("publish", { key: go.private, to: group.public, message: { peer: { name: "go" } } });
      const received = await nextOf(subscription, 4);
      expect(received.map(({ sender }) => sender.toString()).filter((sender) => sender === go.public)).toHaveLength(1);
      expect(received.map(({ message }) => message.peer?.name)).toContain("go");
      expect(client.complaints).toEqual([]);
    });

    test("every instance of our key gets what a Go client sends", async () => {
      await using server = await start();
      await using client = await startGoClient(gopeer, server.address);
      const { ours, theirs, go, wice } = pairUp();
      await using first = connect(server.address);
      await using second = connect(server.address);
      const subscriptions = [
        await first.subscribe({ ours, theirs }),
        await second.subscribe({ ours, theirs: PublicKey.any }),
      ];
      await client.run("publish", { key: go.private, to: wice.public, message: { credentials } });
      for (const subscription of subscriptions) {
        expect((await nextOf(subscription))[0]?.message).toMatchObject({ credentials });
      }
    });

    test("delivery to a Go client is never claimed: a typed error, and nothing that it would mind", async () => {
      await using server = await start();
      await using backend = connect(server.address);
      await using client = await startGoClient(gopeer, server.address);
      const { ours, theirs, go, wice } = pairUp();
      await client.run("subscribe", { key: go.private });
      const delivered = { until: "delivered", timeoutMs: 700 } as const;
      const unheard = backend.publish({ ours, theirs }, { credentials }, delivered);
      await expect(unheard).rejects.toMatchObject({
        code: expect.stringMatching(/^(not-delivered|delivery-unknown|unsupported)$/),
      });
      const subscription = await backend.subscribe({ ours, theirs });
      await client.run("publish", { key: go.private, to: wice.public, message: { credentials } });
      await nextOf(subscription);
      const heard = backend.publish({ ours, theirs }, { credentials }, delivered);
      await expect(heard).rejects.toMatchObject({ code: "unsupported", retryable: false });
      expect(client.complaints).toEqual([]);
    });

    test("both sides come back by themselves when the server was restarted", async () => {
      await using server = await start();
      await using backend = connect(server.address);
      await using client = await startGoClient(gopeer, server.address);
      const { ours, theirs, go, wice } = pairUp();
      await client.run("subscribe", { key: go.private });
      const subscription = await backend.subscribe({ ours, theirs });
      await server.restart();
      await client.until("subscription", ({ state }) => state === "live", { count: 2 });
      await expectToArrive(client, go.private, wice.public, subscription);
      await backend.publish({ ours, theirs }, { credentials });
      const [message] = await client.until("message");
      expect(message).toMatchObject({ from: wice.public, message: { credentials } });
      expect(client.complaints).toEqual([]);
    });
  });
}

suite.concurrent("Our backend, when a Go server", () => {
  async function setUp(flags: readonly string[] = []) {
    const stack = new AsyncDisposableStack();
    const server: GoServer = stack.use(await startGoServer(gopeer, flags));
    const client = stack.use(await startGoClient(gopeer, server.address));
    const backend = stack.use(connect(server.address, { subscribeTimeoutMs: 300 }));
    return { server, client, backend, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  }

  test.each([
    ["cleanly", {}],
    ["with an error", { code: "UNAVAILABLE" }],
    ["with Canceled", { code: "CANCELLED" }],
  ])("ends its stream %s, subscribes again", async (_, end) => {
    await using setup = await setUp();
    const { server, client, backend } = setup;
    const { ours, theirs, go, wice } = pairUp();
    const subscription = await backend.subscribe({ ours, theirs });
    await server.run("end", end);
    await server.until("subscribe", undefined, { count: 2 });
    await expectToArrive(client, go.private, wice.public, subscription);
  });

  test("never confirms, tries again until it does", async () => {
    await using setup = await setUp();
    const { server, client, backend } = setup;
    const { ours, theirs, go, wice } = pairUp();
    await server.run("stall", { on: true });
    const subscribing = backend.subscribe({ ours, theirs });
    await server.until("subscribe", undefined, { count: 2 });
    await server.run("stall", { on: false });
    await expectToArrive(client, go.private, wice.public, await subscribing);
  });

  test("repeats an envelope, hands its message over once", async () => {
    await using setup = await setUp();
    const { server, client, backend } = setup;
    const { ours, theirs, go, wice } = pairUp();
    const subscription = await backend.subscribe({ ours, theirs });
    await server.run("duplicate", { count: 1 });
    for (const ufrag of ["first", "second"]) {
      await client.run("publish", { key: go.private, to: wice.public, message: { credentials: { ufrag } } });
    }
    const received = await nextOf(subscription, 2);
    expect(received.map(({ message }) => message.credentials?.ufrag)).toEqual(["first", "second"]);
    expect(backend.counters()).toMatchObject({ duplicate: 1 });
  });

  test("sends what was altered, or sealed for somebody else, drops and counts it", async () => {
    await using setup = await setUp();
    const { server, client, backend } = setup;
    const { ours, theirs, go, wice } = pairUp();
    const subscription = await backend.subscribe({ ours, theirs });
    // A box for another key, in an envelope to us: field 2 of 32 bytes replaced.
    const stranger = generatePair();
    const envelope = Buffer.concat([
      Buffer.from([0x0a, 32]),
      go.publicBytes,
      Buffer.from([0x12, 32]),
      wice.publicBytes,
      Buffer.from([0x1a, 2 + 40 + 2 + 24, 0x0a, 40]),
      stranger.publicBytes,
      Buffer.alloc(8),
      Buffer.from([0x12, 24]),
      Buffer.alloc(24, 3),
    ]);
    await server.run("inject", { key: wice.public, envelope: toBase64(envelope) });
    await client.run("publish", { key: go.private, to: wice.public, message: { credentials } });
    expect((await nextOf(subscription))[0]?.message).toMatchObject({ credentials });
    expect(backend.counters()).toMatchObject({ forged: 1 });
  });

  test("freezes the publishers of a key, fails in time, and publishes to others meanwhile", async () => {
    await using setup = await setUp(["--queue=1"]);
    const { server, client, backend } = setup;
    const [frozen, other] = [pairUp(), pairUp()];
    await client.run("subscribe", { key: frozen.go.private });
    await client.run("subscribe", { key: other.go.private });
    await server.run("hold", { key: frozen.go.public, on: true });
    const flood = Array.from({ length: 5 }, () => backend.publish(frozen, { credentials }, { timeoutMs: 1_500 }));
    const settled = Promise.allSettled(flood);
    await backend.publish(other, { credentials }, { timeoutMs: 1_500 });
    await client.until("message", ({ to }) => to === other.go.public);
    const failed = (await settled).filter(({ status }) => status === "rejected");
    expect(failed.length).toBeGreaterThan(0);
    for (const failure of failed) expect(failure).toMatchObject({ reason: { name: "WiceError", code: "unavailable" } });
  });

  test("drops and repeats, still delivers between two of ours, each message once", async () => {
    await using setup = await setUp();
    const { server, backend } = setup;
    await using other = connect(server.address);
    const { ours, theirs, go, wice } = pairUp();
    const pair = { ours: parsePrivateKey(go.private), theirs: PublicKey.parse(wice.public) };
    const subscription = await other.subscribe(pair);
    await server.run("drop", { count: 10 });
    await server.run("duplicate", { count: 30 });
    const numbers = Array.from({ length: 40 }, (_, n) => n);
    await Promise.all(
      numbers.map((n) => backend.publish({ ours, theirs }, { payload: Uint8Array.of(n) }, { until: "delivered" })),
    );
    const received = await nextOf(subscription, 40);
    expect(received.map(({ message }) => message.payload?.[0] as number).sort((a, b) => a - b)).toEqual(numbers);
    expect(server.find("publish", ({ copies }) => copies === 0)).toHaveLength(10);
    expect(other.counters().duplicate).toBeGreaterThan(0);
  });
});
