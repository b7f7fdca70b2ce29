/** Our gRPC transport against a Go server that behaves as upstream's does, with its faults: envelopes, not messages. */

import { create, toBinary } from "@bufbuild/protobuf";
import { type Envelope, type EnvelopeSubscription, PublicKey } from "@wice/core";
import { EnvelopeSchema } from "@wice/core/wire";
import { createGrpcTransport, type GrpcClientOptions, type GrpcTransport } from "@wice/node";
import { describe, expect, test } from "vitest";
import { buildGo } from "../kit/go-build.ts";
import { type GoServer, startGoServer } from "../kit/go-peer.ts";
import type { LineEvent } from "../kit/lines-process.ts";
import { createTcpProxy } from "../kit/tcp-proxy.ts";
import { generatePair, toBase64 } from "./keys.ts";

const gopeer = (await buildGo()) ?? "";
const suite = describe.skipIf(gopeer === "");
const lost = { name: "WiceError", code: "unavailable", retryable: true };

const newKey = (): PublicKey => PublicKey.fromBytes(generatePair().publicBytes);

function envelopeFor(recipient: PublicKey, bodyBytes = 40): Envelope {
  const [body, nonce] = [new Uint8Array(bodyBytes), new Uint8Array(24)].map((part) => crypto.getRandomValues(part));
  return { sender: newKey(), recipient, body: body as Uint8Array, nonce: nonce as Uint8Array };
}

/** What an envelope says, comparable. */
const plain = ({ sender, recipient, body, nonce }: Envelope): unknown => ({
  sender: sender.toString(),
  recipient: recipient.toString(),
  body: toBase64(body),
  nonce: toBase64(nonce),
});

interface Setup extends AsyncDisposable {
  readonly server: GoServer;
  readonly transport: GrpcTransport;
}

async function setUp(options: GrpcClientOptions = {}, flags: readonly string[] = []): Promise<Setup> {
  const server = await startGoServer(gopeer, flags);
  const transport = createGrpcTransport({ url: `grpc://${server.address}?insecure=true`, ...options });
  return {
    server,
    transport,
    async [Symbol.asyncDispose]() {
      await transport.close();
      await server.stop();
    },
  };
}

async function take(subscription: EnvelopeSubscription, count: number): Promise<Envelope[]> {
  const taken: Envelope[] = [];
  const iterator = subscription[Symbol.asyncIterator]();
  while (taken.length < count) {
    const { value, done } = await iterator.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

/** Reads until the end; resolves with what it rejects with. */
async function endOf(subscription: EnvelopeSubscription): Promise<unknown> {
  try {
    for await (const _ of subscription);
    return "ended without an error";
  } catch (error) {
    return error;
  }
}

suite.concurrent("Our transport on a Go server", () => {
  test("gets what it publishes, byte for byte, and knows no number of subscribers", async () => {
    await using setup = await setUp();
    const key = newKey();
    const subscription = await setup.transport.subscribe(key);
    const envelopes = [16, 40, 20_000, 60_000].map((bytes) => envelopeFor(key, bytes));
    for (const envelope of envelopes) {
      expect((await setup.transport.publish(envelope)).subscribers).toBeUndefined();
    }
    expect((await take(subscription, 4)).map(plain)).toEqual(envelopes.map(plain));
    // Its report takes another way than the envelopes, and may come after them.
    const published = await setup.server.until("publish", undefined, { count: 4 });
    expect(published.map(({ unknownBytes }) => unknownBytes)).toEqual([0, 0, 0, 0]);
    // The wish for heartbeats is a field that the server does not know, and ignores.
    expect(setup.server.find("subscribe")[0]?.unknownBytes).toBeGreaterThan(0);
    expect(await setup.server.until("connection")).toHaveLength(1);
  });

  test("speaks TLS: with the server's certificate, with any when told to, and not otherwise", async () => {
    await using server = await startGoServer(gopeer, ["--tls"]);
    const url = `grpc://localhost:${server.port}`;
    const trusting = { url, ca: server.certificate as string };
    for (const options of [trusting, { url: `${url}?skip_verify=true` }]) {
      const transport = createGrpcTransport(options);
      const key = newKey();
      const subscription = await transport.subscribe(key);
      await transport.publish(envelopeFor(key));
      expect(await take(subscription, 1)).toHaveLength(1);
      await transport.close();
    }
    const strict = createGrpcTransport({ url });
    await expect(strict.subscribe(newKey())).rejects.toMatchObject({ code: "unavailable", retryable: false });
    await strict.close();
  });

  test("reaches it over IPv6", async () => {
    await using setup = await setUp({}, ["--listen=[::1]:0"]);
    const key = newKey();
    const subscription = await setup.transport.subscribe(key);
    await setup.transport.publish(envelopeFor(key));
    expect(await take(subscription, 1)).toHaveLength(1);
    expect(setup.server.address).toContain("[::1]");
  });

  test("loses nothing of thousands of envelopes sent at once", async () => {
    await using setup = await setUp();
    const key = newKey();
    const subscription = await setup.transport.subscribe(key);
    const received = take(subscription, 3_000);
    await Promise.all(Array.from({ length: 3_000 }, () => setup.transport.publish(envelopeFor(key))));
    expect(new Set((await received).map(({ nonce }) => toBase64(nonce))).size).toBe(3_000);
  });

  test("has hundreds of subscriptions on one connection, and ends each of them at the server", async () => {
    await using setup = await setUp();
    const subscriptions = await Promise.all(Array.from({ length: 300 }, () => setup.transport.subscribe(newKey())));
    expect(await setup.server.until("connection")).toHaveLength(1);
    await Promise.all(subscriptions.map((subscription) => subscription.close()));
    await setup.server.until("unsubscribe", undefined, { count: 300 });
  });

  test("ends its subscription at the server when aborted", async () => {
    await using setup = await setUp();
    const controller = new AbortController();
    const subscription = await setup.transport.subscribe(newKey(), { signal: controller.signal });
    const end = endOf(subscription);
    controller.abort("enough");
    expect(await end).toBe("enough");
    await setup.server.until("unsubscribe");
  });

  test("drops what is no envelope, and reads on", async () => {
    await using setup = await setUp();
    const key = newKey();
    const subscription = await setup.transport.subscribe(key);
    const hollow = create(EnvelopeSchema, { sender: newKey().toBytes(), recipient: key.toBytes() });
    const lopsided = create(EnvelopeSchema, { sender: new Uint8Array(31), recipient: new Uint8Array(33) });
    const keys = { sender: hollow.sender, recipient: hollow.recipient };
    const nonceless = create(EnvelopeSchema, { ...keys, contents: { body: new Uint8Array(50) } });
    for (const envelope of [hollow, lopsided, nonceless]) {
      const bytes = toBase64(toBinary(EnvelopeSchema, envelope));
      await setup.server.run("inject", { key: key.toString(), envelope: bytes });
    }
    // An empty one is a heartbeat, asked for or not.
    await setup.server.run("inject", { key: key.toString(), envelope: "" });
    const envelope = envelopeFor(key);
    await setup.transport.publish(envelope);
    expect((await take(subscription, 1)).map(plain)).toEqual([plain(envelope)]);
    expect(setup.transport.dropped).toMatchObject({ malformed: 3, oversized: 0 });
  });

  test("hands duplicates on: they are the backend's business", async () => {
    await using setup = await setUp();
    const key = newKey();
    const subscription = await setup.transport.subscribe(key);
    await setup.server.run("duplicate", { count: 1 });
    const envelope = envelopeFor(key);
    await setup.transport.publish(envelope);
    expect((await take(subscription, 2)).map(plain)).toEqual([plain(envelope), plain(envelope)]);
  });

  test("does without GetBuildInfo", async () => {
    await using setup = await setUp({ pingIntervalMs: 100, pingTimeoutMs: 300 });
    await setup.server.run("noBuildInfo", { on: true });
    const key = newKey();
    const subscription = await setup.transport.subscribe(key);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await setup.transport.publish(envelopeFor(key));
    expect(await take(subscription, 1)).toHaveLength(1);
    await setup.server.until("getBuildInfo");
  });
});

suite.concurrent("Our transport, when a Go server", () => {
  test("accepts a subscription but never confirms it, gives up in time", async () => {
    await using setup = await setUp({ subscribeTimeoutMs: 400 });
    await setup.server.run("stall", { on: true });
    const start = performance.now();
    await expect(setup.transport.subscribe(newKey())).rejects.toMatchObject(lost);
    expect(performance.now() - start).toBeGreaterThan(390);
    await setup.server.until("unsubscribe");
    await setup.server.run("stall", { on: false });
    await setup.transport.subscribe(newKey());
  });

  test("does not confirm a subscription yet, waits for it", async () => {
    await using setup = await setUp();
    await setup.server.run("stall", { on: true });
    const key = newKey();
    let live = false;
    const subscribing = setup.transport.subscribe(key).then((subscription) => {
      live = true;
      return subscription;
    });
    await setup.server.until("subscribe");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(live).toBe(false);
    await setup.server.run("stall", { on: false });
    await setup.transport.publish(envelopeFor(key));
    expect(await take(await subscribing, 1)).toHaveLength(1);
  });

  test.each([
    ["cleanly", {}],
    ["with Unavailable", { code: "UNAVAILABLE" }],
    ["with Canceled", { code: "CANCELLED" }],
    ["with Internal", { code: "INTERNAL" }],
    ["with PermissionDenied", { code: "PERMISSION_DENIED" }],
  ])("ends a subscription %s, says that it is lost, and can have it again", async (_, end) => {
    await using setup = await setUp();
    const key = newKey();
    const first = await setup.transport.subscribe(key);
    const ended = endOf(first);
    await setup.server.run("end", end);
    expect(await ended).toMatchObject(lost);
    const second = await setup.transport.subscribe(key);
    await setup.transport.publish(envelopeFor(key));
    expect(await take(second, 1)).toHaveLength(1);
  });

  test.each([
    ["UNAVAILABLE", "unavailable", true],
    ["UNKNOWN", "unavailable", true],
    ["RESOURCE_EXHAUSTED", "resource-exhausted", true],
    ["INVALID_ARGUMENT", "invalid-envelope", false],
    ["PERMISSION_DENIED", "permission-denied", false],
    ["UNAUTHENTICATED", "unauthenticated", false],
    ["UNIMPLEMENTED", "unsupported", false],
  ])("refuses with %s, rejects with %s", async (status, code, retryable) => {
    await using setup = await setUp();
    const key = newKey();
    for (const method of ["Publish", "Subscribe"]) await setup.server.run("refuse", { method, code: status, count: 1 });
    const refusal = { name: "WiceError", code, retryable };
    await expect(setup.transport.publish(envelopeFor(key))).rejects.toMatchObject(refusal);
    await expect(setup.transport.subscribe(key)).rejects.toMatchObject(refusal);
    await setup.transport.publish(envelopeFor(key));
  });

  test("is killed, says so; and works with the next one on the port", async () => {
    await using setup = await setUp();
    const key = newKey();
    const ended = endOf(await setup.transport.subscribe(key));
    await setup.server.kill();
    expect(await ended).toMatchObject(lost);
    await expect(setup.transport.publish(envelopeFor(key))).rejects.toMatchObject(lost);
    await using _ = await startGoServer(gopeer, [`--listen=${setup.server.address}`]);
    const subscription = await setup.transport.subscribe(key);
    await setup.transport.publish(envelopeFor(key));
    expect(await take(subscription, 1)).toHaveLength(1);
  });

  test("drains, makes new calls on a new connection while the old subscription goes on", async () => {
    await using setup = await setUp();
    const key = newKey();
    const subscription = await setup.transport.subscribe(key);
    await setup.server.run("goaway");
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (let i = 0; i < 3; i++) await setup.transport.publish(envelopeFor(key));
    expect(await take(subscription, 3)).toHaveLength(3);
    const isOpen = ({ state }: LineEvent): boolean => state === "open";
    expect(await setup.server.until("connection", isOpen, { count: 2 })).toHaveLength(2);
    const ended = endOf(await setup.transport.subscribe(key));
    await setup.server.run("end");
    expect(await ended).toMatchObject(lost);
    await setup.server.until("connection", ({ state }) => state === "closed");
  });

  test("freezes the publishers of a key, gives up in time, and can publish to others", async () => {
    await using setup = await setUp({ publishTimeoutMs: 400, subscribeTimeoutMs: 400 }, ["--queue=2"]);
    const [frozen, other] = [newKey(), newKey()];
    await setup.transport.subscribe(frozen);
    await setup.server.run("hold", { key: frozen.toString(), on: true });
    // The server may have taken one out of the queue before it noticed.
    const publishes = await Promise.allSettled([1, 2, 3, 4, 5].map(() => setup.transport.publish(envelopeFor(frozen))));
    const failed = publishes.filter(({ status }) => status === "rejected");
    expect(failed.length).toBeGreaterThanOrEqual(2);
    for (const failure of failed) expect(failure).toMatchObject({ reason: lost });
    await expect(setup.transport.subscribe(frozen)).rejects.toMatchObject(lost);
    await setup.transport.publish(envelopeFor(other));
    await setup.transport.subscribe(other);
    expect(await setup.server.until("connection")).toHaveLength(1);
  });

  test("answers late, waits as long as it may", async () => {
    await using setup = await setUp({ publishTimeoutMs: 1_000 });
    await setup.server.run("delay", { ms: 500 });
    await setup.transport.publish(envelopeFor(newKey()));
    await setup.server.run("delay", { ms: 1_500 });
    await expect(setup.transport.publish(envelopeFor(newKey()))).rejects.toMatchObject(lost);
  });

  test("reads and answers nothing any more, notices", async () => {
    await using setup = await setUp({ pingIntervalMs: 200, pingTimeoutMs: 300 });
    const ended = endOf(await setup.transport.subscribe(newKey()));
    const start = performance.now();
    await setup.server.run("hang", { on: true });
    expect(await ended).toMatchObject(lost);
    expect(performance.now() - start).toBeLessThan(5_000);
    await setup.server.run("hang", { on: false });
    await setup.transport.subscribe(newKey());
  });

  test("counts pings as its default policy does, is never asked to calm down", async () => {
    await using setup = await setUp({ pingIntervalMs: 100, pingTimeoutMs: 500 });
    const key = newKey();
    const subscription = await setup.transport.subscribe(key);
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    await setup.transport.publish(envelopeFor(key));
    expect(await take(subscription, 1)).toHaveLength(1);
    expect(await setup.server.until("connection")).toHaveLength(1);
    // It was asked, again and again; by PINGs alone, the third would have ended the connection.
    await setup.server.until("getBuildInfo", undefined, { count: 6 });
  });
});

suite.concurrent("Our transport, when the network to a Go server", () => {
  async function throughProxy(options: GrpcClientOptions = {}) {
    const setup = await setUp();
    const proxy = await createTcpProxy({ target: { port: setup.server.port } });
    const transport = createGrpcTransport({ url: `grpc://${proxy.address}?insecure=true`, ...options });
    return {
      proxy,
      transport,
      async [Symbol.asyncDispose]() {
        await transport.close();
        await proxy.close();
        await setup[Symbol.asyncDispose]();
      },
    };
  }

  test.each([true, false])("cuts the connection (by a reset: %s), says so and connects anew", async (reset) => {
    await using setup = await throughProxy();
    const { proxy, transport } = setup;
    const key = newKey();
    const ended = endOf(await transport.subscribe(key));
    proxy.cut({ reset });
    expect(await ended).toMatchObject(lost);
    const subscription = await transport.subscribe(key);
    await transport.publish(envelopeFor(key));
    expect(await take(subscription, 1)).toHaveLength(1);
    expect(proxy.accepted).toBe(2);
  });

  test("forgets the connection, notices and connects anew", async () => {
    await using setup = await throughProxy({ pingIntervalMs: 200, pingTimeoutMs: 300 });
    const { proxy, transport } = setup;
    const key = newKey();
    const ended = endOf(await transport.subscribe(key));
    proxy.blackhole();
    await proxy.heal();
    expect(await ended).toMatchObject(lost);
    const subscription = await transport.subscribe(key);
    await transport.publish(envelopeFor(key));
    expect(await take(subscription, 1)).toHaveLength(1);
  });

  test("swallows a new connection, gives up in time", async () => {
    await using setup = await throughProxy({ connectTimeoutMs: 400 });
    setup.proxy.blackhole();
    await expect(setup.transport.subscribe(newKey())).rejects.toMatchObject(lost);
    await setup.proxy.heal();
    await setup.transport.subscribe(newKey());
  });

  test("refuses connections, says so at once", async () => {
    await using setup = await throughProxy();
    await setup.proxy.refuse();
    const start = performance.now();
    await expect(setup.transport.publish(envelopeFor(newKey()))).rejects.toMatchObject(lost);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  test("is slow, takes the time it needs", async () => {
    await using setup = await throughProxy({ pingIntervalMs: 100, pingTimeoutMs: 1_000 });
    setup.proxy.delay(150);
    const key = newKey();
    const subscription = await setup.transport.subscribe(key);
    const start = performance.now();
    await setup.transport.publish(envelopeFor(key));
    expect(performance.now() - start).toBeGreaterThan(290);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await take(subscription, 1)).toHaveLength(1);
    expect(setup.proxy.accepted).toBe(1);
  });
});
