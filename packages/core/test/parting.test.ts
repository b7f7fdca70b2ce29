import {
  createBackend,
  createInProcessNetwork,
  createTransportRegistry,
  generatePrivateKey,
  inProcessFactory,
  WiceError,
} from "@wice/core";
import { createVirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";

const payload = Uint8Array.of(1);
const unreachable = new WiceError("unavailable", "nothing listens there", { retryable: true });

describe("a backend that closes", () => {
  test("first sends the receipt for what it took", async () => {
    const network = createInProcessNetwork();
    const inner = network.connect();
    let receipts = 0;
    const slow = {
      ...inner,
      async publish(...call: Parameters<typeof inner.publish>) {
        await new Promise((resolve) => setTimeout(resolve, 30));
        call[1]?.signal?.throwIfAborted();
        receipts += 1;
        return inner.publish(...call);
      },
    };
    const [alice, bob] = [generatePrivateKey(), generatePrivateKey()];
    await using alices = createBackend(network.connect());
    const bobs = createBackend(slow);
    const inbox = await bobs.subscribe({ ours: bob, theirs: alice.publicKey });
    const pair = { ours: alice, theirs: bob.publicKey };
    const delivery = alices.publish(pair, { payload }, { until: "delivered", timeoutMs: 2000 });
    await inbox[Symbol.asyncIterator]().next();
    await bobs.close();
    expect(receipts).toBe(2);
    expect(await delivery).toMatchObject({ instance: bobs.instance });
  });

  test("waits for a receipt no longer than a second", async () => {
    const clock = createVirtualClock();
    const network = createInProcessNetwork();
    const hung = { ...network.connect(), publish: () => new Promise<never>(() => {}) };
    const [alice, bob] = [generatePrivateKey(), generatePrivateKey()];
    await using alices = createBackend(network.connect());
    const bobs = createBackend(hung, { clock });
    await bobs.subscribe({ ours: bob, theirs: alice.publicKey });
    const pair = { ours: alice, theirs: bob.publicKey };
    void alices.publish(pair, { payload }, { until: "delivered", timeoutMs: 50 }).catch(() => {});
    await clock.advance(0);
    await clock.runUntil(bobs.close());
    expect(clock.now()).toBe(1000);
    expect(clock.pending).toBe(0);
  });
});

describe("a transport that cannot be reached", () => {
  const silent = {
    subscribe: () => Promise.reject(unreachable),
    publish: () => Promise.reject(unreachable),
    close: async () => {},
  };
  const pair = { ours: generatePrivateKey(), theirs: generatePrivateKey().publicKey };

  test("is named by a failed delivery", async () => {
    const clock = createVirtualClock();
    const backend = createBackend(silent, { clock });
    const delivery = backend.publish(pair, { payload }, { until: "delivered", timeoutMs: 500 });
    await expect(clock.runUntil(delivery)).rejects.toMatchObject({
      code: "not-delivered",
      message: expect.stringContaining("nothing listens there"),
    });
  });

  test("is told to who watches while a publication is retried", async () => {
    const clock = createVirtualClock();
    const backend = createBackend(silent, { clock });
    const status = backend.status()[Symbol.asyncIterator]();
    const publication = backend.publish(pair, { payload }, { timeoutMs: 500 });
    await expect(clock.runUntil(publication)).rejects.toMatchObject({ code: "unavailable" });
    expect((await status.next()).value).toMatchObject({ type: "retrying", error: unreachable });
  });
});

test("a host and a port are not taken for a scheme and a path", () => {
  const registry = createTransportRegistry([inProcessFactory()]);
  expect(() => registry.open("localhost:8080")).toThrow(expect.objectContaining({ code: "invalid-url" }));
});
