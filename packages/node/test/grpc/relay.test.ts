import { expect, onTestFinished, test } from "vitest";
import type { GrpcClientOptions } from "../../src/grpc/options.ts";
import { createGrpcTransport, type GrpcTransport } from "../../src/grpc/transport.ts";
import { createRelay, type Relay, type RelayOptions } from "../../src/relay/index.ts";
import { bob, envelope, numberOf, rejection, until } from "./scripted-server.ts";
import { tcpProxy } from "./tcp-proxy.ts";

async function relayFor(options: RelayOptions = {}): Promise<Relay> {
  const relay = await createRelay(options);
  onTestFinished(() => relay.close({ graceMs: 0 }));
  return relay;
}

function connect(url: string, options: GrpcClientOptions = {}): GrpcTransport {
  const transport = createGrpcTransport({ ...options, url });
  onTestFinished(() => transport.close());
  return transport;
}

test("a relay counts subscribers, and every one of them gets what is published", async () => {
  const relay = await relayFor();
  const transports = [connect(relay.url), connect(relay.url), connect(relay.url)];
  const iterators = await Promise.all(
    transports.map(async (transport) => (await transport.subscribe(bob))[Symbol.asyncIterator]()),
  );
  for (let i = 0; i < 200; i++) expect(await transports[i % 3]?.publish(envelope(i))).toEqual({ subscribers: 3 });
  for (const iterator of iterators) {
    for (let i = 0; i < 200; i++) expect(numberOf((await iterator.next()).value)).toBe(i);
  }
});

test("a relay's own limit is met with its own refusal", async () => {
  const relay = await relayFor();
  const transport = connect(relay.url, { maxEnvelopeBytes: 1_000_000 });
  expect(await rejection(transport.publish(envelope(1, 100_000)))).toMatchObject({ code: "resource-exhausted" });
  expect(await transport.publish(envelope(2))).toEqual({ subscribers: 0 });
});

test("a relay's heartbeats keep a silent subscription", async () => {
  const relay = await relayFor();
  const transport = connect(relay.url, { heartbeatMs: 1000 });
  const iterator = (await transport.subscribe(bob))[Symbol.asyncIterator]();
  const next = iterator.next();
  await new Promise((resolve) => setTimeout(resolve, 4500));
  expect(relay.counters().heartbeats).toBeGreaterThanOrEqual(3);
  await transport.publish(envelope(3));
  expect(numberOf((await next).value)).toBe(3);
});

test("a relay that stops ends subscriptions so that they are tried again", async () => {
  const relay = await relayFor();
  const transport = connect(relay.url);
  const iterator = (await transport.subscribe(bob))[Symbol.asyncIterator]();
  const lost = rejection(iterator.next());
  await relay.close();
  expect(await lost).toMatchObject({ code: "unavailable", retryable: true });
  expect(await rejection(transport.publish(envelope(1)))).toMatchObject({ code: "unavailable", retryable: true });
  const { port } = relay;
  await relayFor({ port });
  expect(await transport.publish(envelope(1))).toEqual({ subscribers: 0 });
});

test("a relay behind a dead network is noticed, and found again", async () => {
  const relay = await relayFor();
  await using proxy = await tcpProxy(relay.port);
  const transport = connect(`http://127.0.0.1:${proxy.port}`, { pingIntervalMs: 50, pingTimeoutMs: 200 });
  const iterator = (await transport.subscribe(bob))[Symbol.asyncIterator]();
  await new Promise((resolve) => setTimeout(resolve, 500));
  proxy.flowing = false;
  expect(await rejection(iterator.next())).toMatchObject({ code: "unavailable", retryable: true });
  proxy.flowing = true;
  const again = (await transport.subscribe(bob))[Symbol.asyncIterator]();
  await transport.publish(envelope(4));
  expect(numberOf((await again.next()).value)).toBe(4);
});

test("thousands of subscriptions on one connection, opened and dropped, leave none behind", async () => {
  const relay = await relayFor();
  const transport = connect(relay.url);
  for (let round = 0; round < 4; round++) {
    const subscriptions = await Promise.all(Array.from({ length: 500 }, () => transport.subscribe(bob)));
    await Promise.all(subscriptions.map((subscription) => subscription.close()));
  }
  await until(() => relay.counters().subscriptions === 0);
  expect(await transport.publish(envelope(1))).toEqual({ subscribers: 0 });
});
