import { setTimeout as sleep } from "node:timers/promises";
import {
  type Backend,
  createBackend,
  generatePrivateKey,
  isWiceError,
  PublicKey,
  type ReceivedMessage,
} from "@wice/core";
import { createGrpcTransport } from "@wice/node";
import { describe, expect, test } from "vitest";
import { startRelayProcess } from "../kit/relay-process.ts";
import { createTcpProxy } from "../kit/tcp-proxy.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = ({ message }: ReceivedMessage): string => new TextDecoder().decode(message.payload);

/** Collects what arrives for a key. */
async function collect(backend: Backend, ours: ReturnType<typeof generatePrivateKey>, theirs: PublicKey) {
  const arrived: string[] = [];
  const waiting = new Set<() => void>();
  const subscription = await backend.subscribe({ ours, theirs });
  void (async () => {
    for await (const received of subscription) {
      arrived.push(text(received));
      for (const check of [...waiting]) check();
    }
  })();
  return {
    arrived,
    /** Resolves once a message with this text is there. */
    until: (wanted: string): Promise<void> =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!arrived.includes(wanted)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
}

describe("a relay that dies", () => {
  test("and is started again: deliveries under way arrive, each once, and nobody restarts anything", async () => {
    await using first = await startRelayProcess();
    const { port, url } = first;
    await using alice = createBackend(createGrpcTransport({ url }));
    await using bob = createBackend(createGrpcTransport({ url }));
    const [a, b] = [generatePrivateKey(), generatePrivateKey()];
    const { arrived, until } = await collect(bob, b, PublicKey.any);

    let sending = true;
    const outcomes: Promise<string>[] = [];
    const load = (async () => {
      for (let i = 0; sending; i++) {
        const pair = { ours: a, theirs: b.publicKey };
        const delivery = alice.publish(
          pair,
          { payload: bytes(`load ${i}`) },
          { until: "delivered", timeoutMs: 20_000 },
        );
        outcomes.push(delivery.then(() => `load ${i}`));
        await sleep(2);
      }
    })();
    await sleep(300);
    for (let round = 0; round < 2; round++) {
      if (round === 0) await first.stop();
      await sleep(200);
      await using again = await startRelayProcess(port);
      await until(arrived.at(-1) ?? "");
      await alice.publish(
        { ours: a, theirs: b.publicKey },
        { payload: bytes(`round ${round}`) },
        { until: "delivered" },
      );
      await until(`round ${round}`);
      if (round === 1) {
        sending = false;
        await load;
        const delivered = await Promise.all(outcomes);
        expect(delivered.length).toBeGreaterThan(100);
        expect(new Set(arrived).size).toBe(arrived.length);
        expect(delivered.filter((id) => !arrived.includes(id))).toEqual([]);
      }
      await again.stop();
    }
  });

  test("an accepted publish waits for the relay to come back", async () => {
    const first = await startRelayProcess();
    await using backend = createBackend(createGrpcTransport({ url: first.url }));
    await first.stop();
    const pair = { ours: generatePrivateKey(), theirs: generatePrivateKey().publicKey };
    const publishing = backend.publish(pair, { payload: bytes("patience") });
    await sleep(300);
    await using _ = await startRelayProcess(first.port);
    expect(await publishing).toEqual({ subscribers: 0 });
  });

  test("and does not come back: the error says so in time", async () => {
    const relay = await startRelayProcess();
    await relay.stop();
    await using backend = createBackend(createGrpcTransport({ url: relay.url }));
    const pair = { ours: generatePrivateKey(), theirs: generatePrivateKey().publicKey };
    const error = await backend.publish(pair, {}, { timeoutMs: 700 }).catch((reason: unknown) => reason);
    expect(isWiceError(error, "unavailable")).toBe(true);
    expect(String(error)).toMatch(/127\.0\.0\.1:\d+/);
  });
});

describe("a connection to the relay", () => {
  const start = async () => {
    const relay = await startRelayProcess();
    const proxy = await createTcpProxy({ target: { port: relay.port } });
    const [a, b] = [generatePrivateKey(), generatePrivateKey()];
    const alice = createBackend(createGrpcTransport({ url: relay.url }));
    const bob = createBackend(
      createGrpcTransport({
        url: `http://${proxy.address}`,
        pingIntervalMs: 400,
        pingTimeoutMs: 300,
        heartbeatMs: 300,
      }),
    );
    const inbox = await collect(bob, b, a.publicKey);
    return {
      ...{ proxy, inbox, bob },
      deliver: (payload: string) =>
        alice.publish({ ours: a, theirs: b.publicKey }, { payload: bytes(payload) }, { until: "delivered" }),
      async [Symbol.asyncDispose]() {
        await Promise.all([alice.close(), bob.close()]);
        await proxy.close();
        await relay.stop();
      },
    };
  };

  test.each([true, false])("that is cut mid-stream (reset: %s) is made again", async (reset) => {
    await using world = await start();
    await world.deliver("before");
    for (let i = 0; i < 3; i++) {
      world.proxy.cut({ reset });
      await world.deliver(`after ${i}`);
      await world.inbox.until(`after ${i}`);
    }
    expect(world.inbox.arrived).toEqual(["before", "after 0", "after 1", "after 2"]);
  });

  test("that is half-open is noticed and replaced", async () => {
    await using world = await start();
    await world.deliver("before");
    const status = world.bob.status()[Symbol.asyncIterator]();
    world.proxy.blackhole();
    const delivery = world.deliver("into the hole");
    expect((await status.next()).value).toMatchObject({ type: "lost", error: { code: "unavailable" } });
    await world.proxy.heal();
    await delivery;
    expect(world.inbox.arrived).toEqual(["before", "into the hole"]);
  });
});
