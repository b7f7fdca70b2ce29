import {
  type BackendStatus,
  createBackend,
  type EnvelopeSubscription,
  type EnvelopeTransport,
  generatePrivateKey,
  isWiceError,
  PublicKey,
  WiceError,
} from "@wice/core";
import { createSeededRandom, createVirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { collect } from "./support/collect.ts";
import { hasCode, rejectionOf } from "./support/errors.ts";
import { createTestRelay } from "./support/relay.ts";
import { bytes, payloadText } from "./support/text.ts";

const setup = (
  overrides?: (transport: EnvelopeTransport) => Partial<EnvelopeTransport>,
  options: { readonly lingerMs?: number } = {},
) => {
  const clock = createVirtualClock();
  const random = createSeededRandom(1).bytes;
  const relay = createTestRelay();
  const key = generatePrivateKey();
  const backend = createBackend(relay.connect(overrides), { clock, random, ...options });
  return { clock, random, relay, key, backend, anybody: { ours: key, theirs: PublicKey.any } };
};
const passing = new WiceError("unavailable", "gone", { retryable: true });
const statuses = (status: AsyncIterable<BackendStatus>): BackendStatus[] => {
  const list: BackendStatus[] = [];
  void (async () => {
    for await (const each of status) list.push(each);
  })();
  return list;
};

/** A transport whose subscriptions the test ends as it likes. */
function createEnding(transport: EnvelopeTransport) {
  const ends: ((how: "cleanly" | Error) => void)[] = [];
  return {
    ends,
    async subscribe(...call: Parameters<EnvelopeTransport["subscribe"]>): Promise<EnvelopeSubscription> {
      const inner = await transport.subscribe(...call);
      const iterator = inner[Symbol.asyncIterator]();
      const end = Promise.withResolvers<IteratorResult<never>>();
      ends.push((how) => {
        void inner.close();
        if (how === "cleanly") end.resolve({ done: true, value: undefined });
        else end.reject(how);
      });
      return {
        close: () => inner.close(),
        [Symbol.asyncIterator]: () => ({ next: () => Promise.race([iterator.next(), end.promise]) }),
      };
    },
  };
}

describe("a lost subscription returns", () => {
  test.each([
    ["ends cleanly", "cleanly"],
    ["fails", passing],
  ] as const)("when it %s, and messages go on for those who iterate", async (_, how) => {
    let ending: ReturnType<typeof createEnding> | undefined;
    const { clock, relay, backend, key, anybody } = setup((transport) => {
      ending = createEnding(transport);
      return ending;
    });
    const seen = statuses(backend.status());
    const { messages } = collect(await backend.subscribe(anybody));
    const alice = { key: generatePrivateKey(), backend: createBackend(relay.connect(), { clock }) };
    for (const round of [1, 2, 3]) {
      ending?.ends.at(-1)?.(how);
      await clock.advance(5000);
      await alice.backend.publish({ ours: alice.key, theirs: key.publicKey }, { payload: bytes(`${round}`) });
      await clock.advance(0);
    }
    expect(messages.map(({ message }) => payloadText(message))).toEqual(["1", "2", "3"]);
    expect(seen.map(({ type }) => type).join()).toBe("subscribed,lost,subscribed,lost,subscribed,lost,subscribed");
    for (const status of seen) if (status.type === "lost") expect(isWiceError(status.error, "unavailable")).toBe(true);
  });

  test("with delays that grow to their limit, and start over once it has lived for a while", async () => {
    let ending: ReturnType<typeof createEnding> | undefined;
    const { clock, backend, anybody } = setup((transport) => {
      ending = createEnding(transport);
      return ending;
    });
    const seen = statuses(backend.status());
    await backend.subscribe(anybody);
    const loseAfter = async (lifeMs: number): Promise<number> => {
      await clock.advance(lifeMs);
      ending?.ends.at(-1)?.(passing);
      await clock.advance(6000);
      const lost = seen.filter((status) => status.type === "lost").at(-1);
      return lost?.retryInMs ?? Number.NaN;
    };
    const means = [250, 500, 1000, 2000, 4000, 4000];
    // Each is alive for what is left of the 6 seconds, which is not long enough to be called good.
    for (const mean of means) {
      const delay = await loseAfter(0);
      expect(delay).toBeGreaterThanOrEqual(mean * 0.5);
      expect(delay).toBeLessThan(mean * 1.5);
    }
    expect(await loseAfter(10_000)).toBeLessThan(250 * 1.5);
  });

  test("not before the server says", async () => {
    let ending: ReturnType<typeof createEnding> | undefined;
    const { clock, relay, backend, anybody } = setup((transport) => {
      ending = createEnding(transport);
      return ending;
    });
    await backend.subscribe(anybody);
    ending?.ends[0]?.(new WiceError("resource-exhausted", "later", { retryable: true, retryAfterMs: 20_000 }));
    await clock.advance(19_999);
    expect(relay.subscriptions).toBe(0);
    await clock.advance(1);
    expect(relay.subscriptions).toBe(1);
  });
});

test("subscribing waits for a server that is not there yet", async () => {
  let up = false;
  const { clock, backend, anybody } = setup((transport) => ({
    subscribe: async (...call) => {
      if (!up) throw passing;
      return transport.subscribe(...call);
    },
  }));
  let live = false;
  const subscribing = backend.subscribe(anybody).then(() => {
    live = true;
  });
  await clock.advance(60_000);
  expect(live).toBe(false);
  up = true;
  await clock.advance(6000);
  await subscribing;
});

describe("a transport that refuses", () => {
  const refusal = new WiceError("permission-denied", "not you");

  test("makes subscribing reject with its error", async () => {
    const { clock, backend, anybody } = setup(() => ({ subscribe: () => Promise.reject(refusal) }));
    const seen = statuses(backend.status());
    expect(await rejectionOf(backend.subscribe(anybody))).toBe(refusal);
    await clock.advance(0);
    expect(seen.map(({ type }) => type)).toEqual(["refused"]);
    expect(clock.pending).toBe(0);
  });

  test("ends every iteration with its error, after what was already received", async () => {
    let ending: ReturnType<typeof createEnding> | undefined;
    const { clock, relay, backend, key, anybody } = setup((transport) => {
      ending = createEnding(transport);
      return ending;
    });
    const subscriptions = [await backend.subscribe(anybody), await backend.subscribe(anybody)];
    const alice = { key: generatePrivateKey(), backend: createBackend(relay.connect(), { clock }) };
    await alice.backend.publish({ ours: alice.key, theirs: key.publicKey }, { payload: bytes("before") });
    await clock.advance(0);
    ending?.ends[0]?.(refusal);
    await clock.advance(0);
    for (const subscription of subscriptions) {
      const { messages, ended } = collect(subscription);
      expect(await ended).toBe(refusal);
      expect(messages.length).toBe(1);
    }
    expect(clock.pending).toBe(0);
  });

  test("fails pending deliveries at once: no receipt could come any more", async () => {
    let ending: ReturnType<typeof createEnding> | undefined;
    const { clock, backend, key } = setup((transport) => {
      ending = createEnding(transport);
      return ending;
    });
    const pair = { ours: key, theirs: generatePrivateKey().publicKey };
    const deliveries = Array.from({ length: 2000 }, () =>
      rejectionOf(backend.publish(pair, { payload: Uint8Array.of(1) }, { until: "delivered" })),
    );
    await clock.advance(1000);
    ending?.ends[0]?.(refusal);
    await clock.advance(0);
    for (const delivery of deliveries) expect(await delivery).toBe(refusal);
    expect(clock.pending).toBe(0);
  });

  test("is asked again by the next subscription", async () => {
    let refuses = true;
    const { backend, anybody } = setup((transport) => ({
      subscribe: async (...call) => {
        if (refuses) throw refusal;
        return transport.subscribe(...call);
      },
    }));
    expect(await rejectionOf(backend.subscribe(anybody))).toBe(refusal);
    refuses = false;
    await backend.subscribe(anybody);
  });

  test("is reported as internal when it throws something that is no WiceError", async () => {
    const defect = new TypeError("undefined is not a function");
    const { backend, anybody } = setup(() => ({ subscribe: () => Promise.reject(defect) }));
    const error = await rejectionOf(backend.subscribe(anybody));
    expect(error).toEqual(hasCode("internal"));
    expect((error as WiceError).cause).toBe(defect);
  });
});

describe("the transport's subscription", () => {
  test("is one for a key, however many subscriptions share it", async () => {
    const { relay, backend, anybody, key } = setup();
    const peers = Array.from({ length: 5 }, () => generatePrivateKey().publicKey);
    await Promise.all(
      [anybody, ...peers.map((theirs) => ({ ours: key, theirs }))].map((pair) => backend.subscribe(pair)),
    );
    expect(relay.subscriptions).toBe(1);
  });

  test("lingers after its last use, and is used again when somebody comes in time", async () => {
    const { clock, relay, backend, anybody } = setup();
    const seen = statuses(backend.status());
    await (await backend.subscribe(anybody)).close();
    await clock.advance(9999);
    const second = await backend.subscribe(anybody);
    await clock.advance(60_000);
    expect(relay.subscriptions).toBe(1);
    expect(seen.length).toBe(1);
    await second.close();
    await clock.advance(10_000);
    expect(relay.subscriptions).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("ends at once with no linger", async () => {
    const { clock, relay, backend, anybody } = setup(undefined, { lingerMs: 0 });
    await (await backend.subscribe(anybody)).close();
    await clock.advance(0);
    expect([relay.subscriptions, clock.pending]).toEqual([0, 0]);
  });

  test("that a transport opens too late is closed, and makes nobody believe to be live", async () => {
    const opened: PromiseWithResolvers<void>[] = [];
    const { clock, relay, backend, anybody } = setup(
      // Like a transport that does not look at its signal while it connects.
      (transport) => ({
        subscribe: async (recipient) => {
          const open = Promise.withResolvers<void>();
          opened.push(open);
          await open.promise;
          return transport.subscribe(recipient);
        },
      }),
      { lingerMs: 0 },
    );
    const first = new AbortController();
    const aborted = rejectionOf(backend.subscribe(anybody, { signal: first.signal }));
    first.abort();
    await aborted;
    let live = false;
    const second = backend.subscribe(anybody).then(() => {
      live = true;
    });
    opened[0]?.resolve();
    await clock.advance(0);
    expect(live).toBe(false);
    expect(relay.subscriptions).toBe(0);
    opened[1]?.resolve();
    await second;
    expect(relay.subscriptions).toBe(1);
  });
});

describe("the status stream", () => {
  test("keeps the latest 64 for one who does not read, and ends with the backend", async () => {
    const { clock, backend, key, anybody } = setup(() => ({ subscribe: () => Promise.reject(passing) }));
    const unread = backend.status();
    backend.subscribe(anybody).catch(() => {});
    await clock.advance(3_600_000);
    await backend.close();
    const list: BackendStatus[] = [];
    for await (const status of unread) list.push(status);
    expect(list.length).toBe(64);
    for (const status of list) {
      expect(status).toMatchObject({ type: "lost", error: { code: "unavailable" } });
      expect("key" in status && status.key.equals(key.publicKey)).toBe(true);
    }
  });

  test("asked for after the end is over at once", async () => {
    const { backend } = setup();
    await backend.close();
    for await (const status of backend.status()) expect(status).toBeUndefined();
  });
});

test("an iteration that its signal ended leaves no listener on the signal", async () => {
  const { clock, backend, anybody } = setup();
  const { signal, listeners } = createCountedSignal();
  const subscription = await backend.subscribe(anybody, { signal });
  expect(listeners()).toBeGreaterThan(0);
  await subscription.close();
  await clock.advance(0);
  expect(listeners()).toBe(0);
});

function createCountedSignal() {
  const { signal } = new AbortController();
  let count = 0;
  const { addEventListener, removeEventListener } = AbortSignal.prototype;
  Object.assign(signal, {
    addEventListener(...call: Parameters<AbortSignal["addEventListener"]>) {
      count += 1;
      addEventListener.apply(signal, call);
    },
    removeEventListener(...call: Parameters<AbortSignal["removeEventListener"]>) {
      count -= 1;
      removeEventListener.apply(signal, call);
    },
  });
  return { signal, listeners: () => count };
}
