import {
  createBackend,
  createInProcessNetwork,
  type Envelope,
  type EnvelopeSubscription,
  type EnvelopeTransport,
  generatePrivateKey,
  type InProcessNetwork,
  type MultiStatus,
  type MultiTransport,
  multi,
  type PublicKey,
  randomBytes,
  WiceError,
} from "@wice/core";
import { backendCompliance, createFaultyTransport, createVirtualClock, transportCompliance } from "@wice/core/testing";
import { createQueue } from "@wice/core/transport";
import { describe, expect, onTestFinished, test } from "vitest";

const fast = { retry: { initialMs: 5, maxMs: 20 } };
const recipient = generatePrivateKey().publicKey;
const sender = generatePrivateKey().publicKey;

function newEnvelope(to: PublicKey = recipient): Envelope {
  return { sender, recipient: to, body: randomBytes(50), nonce: randomBytes(24) };
}

function unavailable(): WiceError {
  return new WiceError("unavailable", "injected: away", { retryable: true });
}

/** A transport that can be taken away: calls fail, and subscriptions are lost. */
function breakable(network: InProcessNetwork) {
  const faulty = createFaultyTransport(network.connect());
  let isAway = false;
  const transport: EnvelopeTransport = {
    publish: (envelope, options) => (isAway ? Promise.reject(unavailable()) : faulty.publish(envelope, options)),
    subscribe: (key, options) => (isAway ? Promise.reject(unavailable()) : faulty.subscribe(key, options)),
    close: () => faulty.close(),
  };
  return {
    transport,
    take() {
      isAway = true;
      faulty.cut();
    },
    giveBack() {
      isAway = false;
    },
  };
}

/** Takes everything and never answers, as behind a firewall that drops. */
function blackHole(): EnvelopeTransport & { readonly calls: number } {
  let calls = 0;
  const hang = (signal: AbortSignal | undefined): Promise<never> => {
    calls += 1;
    return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  };
  return {
    get calls() {
      return calls;
    },
    publish: (_, { signal } = {}) => hang(signal),
    subscribe: (_, { signal } = {}) => hang(signal),
    close: async () => {},
  };
}

function owned(transport: MultiTransport): MultiTransport {
  onTestFinished(() => transport.close());
  return transport;
}

async function take(subscription: EnvelopeSubscription, count: number): Promise<Envelope[]> {
  const taken: Envelope[] = [];
  const iterator = subscription[Symbol.asyncIterator]();
  while (taken.length < count) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    taken.push(value);
  }
  return taken;
}

async function untilStatus(statuses: AsyncIterable<MultiStatus>, type: MultiStatus["type"], name: string) {
  const iterator = statuses[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await iterator.next();
    if (done === true) return expect.unreachable("the statuses ended");
    if (value.type === type && value.name === name) return value;
  }
}

describe("three networks as one", () => {
  let opened: { close(): Promise<void> }[] = [];
  const setup = async () => {
    const networks = [createInProcessNetwork(), createInProcessNetwork(), createInProcessNetwork()];
    const connect = (): MultiTransport => {
      const transport = multi(networks.map((network) => network.connect()));
      opened.push(transport);
      return transport;
    };
    return { connect };
  };
  const teardown = async () => {
    await Promise.all(opened.map((each) => each.close()));
    opened = [];
  };
  for (const { name, run } of transportCompliance({ setup, teardown })) test(`as a transport: ${name}`, run);
  const backends = async () => {
    const { connect } = await setup();
    return {
      connect() {
        const backend = createBackend(connect());
        opened.push(backend);
        return backend;
      },
    };
  };
  for (const { name, run } of backendCompliance({ setup: backends, teardown })) test(`under a backend: ${name}`, run);
});

test("100,000 envelopes over three transports arrive, none of them twice, though one way is slower", async () => {
  const networks = [createInProcessNetwork(), createInProcessNetwork(), createInProcessNetwork()];
  const slow = createFaultyTransport(networks[2]?.connect() as EnvelopeTransport, { faults: { delayMs: [1, 40] } });
  const all = () => networks.slice(0, 2).map((network) => network.connect());
  const from = owned(multi([...all(), slow]));
  const to = owned(multi([...all(), networks[2]?.connect() as EnvelopeTransport]));
  const subscription = await to.subscribe(recipient);
  const count = 100_000;
  const seen = new Set<string>();
  let twice = 0;
  const receiving = (async () => {
    for await (const { nonce } of subscription) {
      const text = nonce.join();
      if (seen.has(text)) twice += 1;
      seen.add(text);
    }
  })();
  for (let i = 0; i < count; i += 50) {
    await Promise.all(Array.from({ length: 50 }, () => from.publish(newEnvelope())));
    // As fast as it is read.
    await expect.poll(() => seen.size, { interval: 1 }).toBe(i + 50);
  }
  // A last one by the slow way alone has overtaken nothing that matters: all were delayed by 40 ms at most.
  await slow.publish(newEnvelope());
  await expect.poll(() => seen.size).toBe(count + 1);
  await subscription.close();
  await receiving;
  expect(twice).toBe(0);
}, 60_000);

describe("publish", () => {
  test("is done with the first transport that takes the envelope, and the others get it, too", async () => {
    const [near, far] = [createInProcessNetwork(), createInProcessNetwork()];
    const late = createFaultyTransport(far.connect(), { faults: { delayMs: [20, 20] } });
    const farSubscription = await far.connect().subscribe(recipient);
    const caller = new AbortController();
    const envelope = newEnvelope();
    await owned(multi([near.connect(), late])).publish(envelope, { signal: caller.signal });
    // As a backend does once a call is over.
    caller.abort();
    expect((await take(farSubscription, 1))[0]?.nonce).toEqual(envelope.nonce);
  });

  test("rejects with all reasons when nobody takes it, retryable where one of them is", async () => {
    const refusing = (code: "unsupported" | "unavailable"): EnvelopeTransport => ({
      publish: async () => {
        throw new WiceError(code, `injected: ${code}`, { retryable: code === "unavailable" });
      },
      subscribe: () => expect.unreachable(),
      close: async () => {},
    });
    const error = await owned(multi([refusing("unsupported"), refusing("unavailable")]))
      .publish(newEnvelope())
      .catch((reason: WiceError) => reason);
    expect(error).toMatchObject({ code: "unavailable", retryable: true });
    expect((error as WiceError).cause).toBeInstanceOf(AggregateError);
    expect(((error as WiceError).cause as AggregateError).errors.map(({ code }) => code)).toEqual([
      "unsupported",
      "unavailable",
    ]);
    expect((error as WiceError).message).toContain("injected: unsupported; injected: unavailable");
    const alike = await owned(multi([refusing("unsupported"), refusing("unsupported")]))
      .publish(newEnvelope())
      .catch((reason: WiceError) => reason);
    expect(alike).toMatchObject({ code: "unsupported", retryable: false });
  });

  test("is not delayed by a transport that never answers, and does not pile up calls there", async () => {
    const network = createInProcessNetwork();
    const hole = blackHole();
    const transport = owned(multi([hole, network.connect()]));
    const subscription = await transport.subscribe(recipient);
    for (let i = 0; i < 1_000; i++) await transport.publish(newEnvelope());
    expect(await take(subscription, 1_000)).toHaveLength(1_000);
    // One of them was the subscription.
    expect(hole.calls).toBeLessThanOrEqual(65);
  });

  test("uses a transport again that works again, though calls of before are never answered", async () => {
    const clock = createVirtualClock();
    const [near, far] = [createInProcessNetwork(), createInProcessNetwork()];
    const [hole, works] = [blackHole(), far.connect()];
    let swallows = true;
    const healing: EnvelopeTransport = {
      ...works,
      publish: (envelope, options) => (swallows ? hole.publish(envelope, options) : works.publish(envelope, options)),
    };
    const transport = owned(multi([healing, near.connect()], { clock }));
    for (let i = 0; i < 200; i++) await transport.publish(newEnvelope());
    swallows = false;
    const subscription = await far.connect().subscribe(recipient);
    await clock.advance(60_000);
    // The first one finds that the others were never answered.
    await transport.publish(newEnvelope());
    await clock.advance(10_000);
    const envelope = newEnvelope();
    await transport.publish(envelope);
    expect((await take(subscription, 1))[0]?.nonce).toEqual(envelope.nonce);
  });

  test("does not wait for one that is down when the others fail", async () => {
    const network = createInProcessNetwork();
    const other = breakable(network);
    const hole = blackHole();
    let answers = true;
    const away: EnvelopeTransport = {
      ...hole,
      publish: (envelope, options) => (answers ? Promise.reject(unavailable()) : hole.publish(envelope, options)),
    };
    const transport = owned(multi([away, other.transport], fast));
    await transport.publish(newEnvelope());
    expect(transport.members.map(({ state }) => state)).toEqual(["down", "up"]);
    answers = false;
    other.take();
    await expect(transport.publish(newEnvelope())).rejects.toMatchObject({ code: "unavailable", retryable: true });
  });
});

describe("a subscription", () => {
  test("outlives every transport but the last, and gets it back", async () => {
    const networks = [createInProcessNetwork(), createInProcessNetwork()] as const;
    const [a, b] = [breakable(networks[0]), breakable(networks[1])];
    const named = [
      { name: "a", transport: a.transport },
      { name: "b", transport: b.transport },
    ];
    const transport = owned(multi(named, fast));
    const statuses = transport.status();
    const subscription = await transport.subscribe(recipient);
    const publishers = networks.map((network) => network.connect());
    await untilStatus(statuses, "up", "b");

    a.take();
    expect(await untilStatus(statuses, "down", "a")).toMatchObject({ error: { code: "unavailable" } });
    expect(transport.members).toMatchObject([
      { name: "a", state: "down" },
      { name: "b", state: "up" },
    ]);
    const first = newEnvelope();
    await publishers[1]?.publish(first);
    expect((await take(subscription, 1))[0]?.nonce).toEqual(first.nonce);

    a.giveBack();
    await untilStatus(statuses, "up", "a");
    b.take();
    await untilStatus(statuses, "down", "b");
    const second = newEnvelope();
    await publishers[0]?.publish(second);
    expect((await take(subscription, 1))[0]?.nonce).toEqual(second.nonce);

    a.take();
    await expect(take(subscription, 1)).rejects.toMatchObject({ code: "unavailable", retryable: true });
  });

  test("is refused when every transport refuses, with all reasons", async () => {
    const refusing: EnvelopeTransport = {
      publish: () => expect.unreachable(),
      subscribe: async () => {
        throw new WiceError("permission-denied", "injected: no");
      },
      close: async () => {},
    };
    const rejected = owned(multi([refusing, refusing])).subscribe(recipient);
    await expect(rejected).rejects.toMatchObject({ code: "permission-denied", retryable: false });
  });

  test("gets transports that are added later, and goes on without those that are removed", async () => {
    const [old, young] = [createInProcessNetwork(), createInProcessNetwork()];
    const transport = owned(multi([{ name: "old", transport: old.connect() }], fast));
    const statuses = transport.status();
    const subscription = await transport.subscribe(recipient);
    transport.add({ name: "young", transport: young.connect() });
    await untilStatus(statuses, "up", "young");
    await transport.remove("old");
    expect(transport.members.map(({ name }) => name)).toEqual(["young"]);
    const envelope = newEnvelope();
    await transport.publish(envelope);
    await old.connect().publish(newEnvelope());
    expect((await take(subscription, 1))[0]?.nonce).toEqual(envelope.nonce);
    await transport.remove("young");
    await expect(take(subscription, 1)).rejects.toMatchObject({ code: "unavailable", retryable: true });
    await expect(transport.publish(newEnvelope())).rejects.toMatchObject({ code: "unavailable", retryable: true });
    const again = { name: "x", transport: old.connect() };
    transport.add(again);
    expect(() => transport.add(again)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });

  test("cannot be robbed of an envelope by a transport that alters its copy and is faster", async () => {
    const [hostile, honest] = [createInProcessNetwork(), createInProcessNetwork()];
    const subscription = await owned(multi([hostile.connect(), honest.connect()])).subscribe(recipient);
    const envelope = newEnvelope();
    const altered = { ...envelope, body: envelope.body.map((byte, i) => (i === 40 ? byte ^ 1 : byte)) };
    await hostile.connect().publish(altered);
    await honest.connect().publish(envelope);
    const bodies = (await take(subscription, 2)).map(({ body }) => body);
    expect(bodies).toEqual([altered.body, envelope.body]);
  });

  test("cannot be robbed of an envelope by a transport that readdresses its copy and is faster", async () => {
    const honest = createInProcessNetwork();
    const envelope = newEnvelope();
    const hostile: EnvelopeTransport = {
      publish: () => expect.unreachable(),
      subscribe: async () => {
        const queue = createQueue<Envelope>(1);
        queue.push({ ...envelope, recipient: generatePrivateKey().publicKey });
        return Object.assign(queue, { close: async () => {} });
      },
      close: async () => {},
    };
    const subscription = await owned(multi([hostile, honest.connect()])).subscribe(recipient);
    const first = await take(subscription, 1);
    await honest.connect().publish(envelope);
    expect([...first, ...(await take(subscription, 1))].map((each) => each.recipient.equals(recipient))).toContain(
      true,
    );
  });

  test("that is not read holds its transports back, and loses nothing", async () => {
    const network = createInProcessNetwork({ maxQueuedEnvelopes: 500 });
    const subscription = await owned(multi([network.connect()])).subscribe(recipient);
    const publisher = network.connect();
    const envelopes = Array.from({ length: 400 }, () => newEnvelope());
    for (const envelope of envelopes) await publisher.publish(envelope);
    const nonces = (await take(subscription, 400)).map(({ nonce }) => nonce);
    expect(nonces).toEqual(envelopes.map(({ nonce }) => nonce));
  });
});
