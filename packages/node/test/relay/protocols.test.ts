import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { EnvelopeSchema, Signaling } from "@wice/core/wire";
import { describe, expect, test } from "vitest";
import { dialects, listen, nameOf, subscribe, transportFor } from "./protocols.ts";
import { startRelay, until } from "./relay.ts";
import { selfSigned } from "./self-signed.ts";
import { envelope, envelopeFor, someKey } from "./wire.ts";

const tls = selfSigned();
const cases = dialects.flatMap((dialect) =>
  [false, true].map((secure) => ({ dialect, secure, name: `${nameOf(dialect)}${secure ? " with TLS" : ""}` })),
);

describe.each(cases)("$name", ({ dialect, secure }) => {
  const connected = async (options: Parameters<typeof startRelay>[0] = {}) => {
    const relay = await startRelay({ ...options, ...(secure && { tls }) });
    return { relay, transport: transportFor(dialect, relay.url, secure ? tls.cert : undefined) };
  };

  test("publishes, subscribes and listens", async () => {
    const { relay, transport } = await connected();
    const [one, two] = [someKey(), someKey()];
    const subscription = await subscribe(transport, one);
    const listening = await listen(transport, [one, two, one]);
    expect(relay.counters()).toMatchObject({ subscriptions: 3, topics: 2 });
    const client = createClient(Signaling, transport);
    const toOne = fromBinary(EnvelopeSchema, envelopeFor(one));
    const toTwo = fromBinary(EnvelopeSchema, envelopeFor(two));
    expect((await client.publish(toOne)).subscribers).toBe(2);
    expect((await client.publish(toTwo)).subscribers).toBe(1);
    expect(await subscription.next()).toEqual(toOne);
    expect(await listening.next()).toEqual(toOne);
    expect(await listening.next()).toEqual(toTwo);
    subscription.abort();
    listening.abort();
    await until(() => relay.counters().subscriptions === 0);
    expect(relay.counters()).toMatchObject({ topics: 0, queuedBytes: 0, published: 2, delivered: 3 });
  });

  test("is refused in words and code", async () => {
    const { relay, transport } = await connected({ limits: { maxEnvelopeBytes: 1_000 } });
    const client = createClient(Signaling, transport);
    const bad = fromBinary(EnvelopeSchema, envelope({ sender: new Uint8Array(31) }));
    const large = fromBinary(EnvelopeSchema, envelopeFor(someKey(), 1_000));
    expect(await refusalOf(client.publish(bad))).toMatchObject({ code: Code.InvalidArgument });
    expect(await refusalOf(client.publish(large))).toMatchObject({ code: Code.ResourceExhausted });
    expect(await refusalOf(subscribe(transport, new Uint8Array(31)))).toMatchObject({ code: Code.InvalidArgument });
    expect(await refusalOf(listen(transport, []))).toMatchObject({ rawMessage: "keys: there are none" });
    expect(relay.counters()).toMatchObject({
      published: 0,
      refused: { "invalid-argument": 3, "resource-exhausted": 1 },
    });
  });

  test("listens to as many keys as it may, and to no more", async () => {
    const { relay, transport } = await connected();
    const keys = Array.from({ length: 1_025 }, () => someKey());
    expect(await refusalOf(listen(transport, keys))).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: "keys: at most 1024 in one call",
    });
    const listening = await listen(transport, keys.slice(1));
    expect(relay.counters()).toMatchObject({ subscriptions: 1_024, topics: 1_024 });
    await createClient(Signaling, transport).publish(fromBinary(EnvelopeSchema, envelopeFor(keys[1_024] ?? someKey())));
    expect(Buffer.from((await listening.next()).recipient)).toEqual(keys[1_024]);
  });

  test("is told when to subscribe again, after it has waited for a quota", async () => {
    const { relay, transport } = await connected({ limits: { maxSubscriptionsPerKey: 1, maxSubscribeDelayMs: 50 } });
    const key = someKey();
    await subscribe(transport, key);
    for (const refused of [await refusalOf(subscribe(transport, key)), await refusalOf(listen(transport, [key]))]) {
      expect(refused.code).toBe(Code.ResourceExhausted);
      expect(refused.metadata.get("grpc-retry-pushback-ms")).toBe("50");
    }
    expect(relay.counters()).toMatchObject({ subscriptions: 1, delayed: 0, refused: { "resource-exhausted": 2 } });
  });

  test("ends with Unavailable when the relay stops", async () => {
    const { relay, transport } = await connected();
    const listening = await listen(transport, [someKey()]);
    const ended = refusalOf(listening.next());
    const startMs = performance.now();
    await relay.close();
    expect(await ended).toMatchObject({ code: Code.Unavailable, rawMessage: "the relay stops; subscribe again" });
    expect(performance.now() - startMs).toBeLessThan(3_000);
    expect(relay.counters()).toMatchObject({ connections: 0, subscriptions: 0 });
  });

  test("hears a heartbeat when it asks for one, and none when it does not", async () => {
    const { relay, transport } = await connected();
    const silent = await subscribe(transport, someKey());
    let heard = 0;
    const count = (): void => void heard++;
    silent.next().then(count, () => {});
    const listening = await listen(transport, [someKey()], { heartbeatMs: 100 });
    for (let i = 0; i < 3; i++) expect((await listening.next()).sender).toHaveLength(0);
    expect(relay.counters().heartbeats).toBeGreaterThanOrEqual(3);
    expect(heard).toBe(0);
  });
});

async function refusalOf(promise: Promise<unknown>): Promise<ConnectError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw new Error("it was not refused", { cause: error });
  return error;
}
