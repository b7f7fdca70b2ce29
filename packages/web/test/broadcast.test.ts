import { randomUUID } from "node:crypto";
import { createBackend, decodeEnvelope, type EnvelopeTransport, encodeEnvelope, generatePrivateKey } from "@wice/core";
import { backendCompliance, transportCompliance } from "@wice/core/testing";
import { type BroadcastTransportOptions, broadcastFactory, createBroadcastTransport } from "@wice/web";
import { describe, expect, onTestFinished, test } from "vitest";
import { countChannels, removeChannels } from "./support/channels.ts";
import { createCountedController } from "./support/counted-signal.ts";
import { envelopeFor, newKey } from "./support/envelopes.ts";
import { rejectionOf, wiceError } from "./support/errors.ts";

const reason = new Error("enough");

/** A transport until the end of the test. */
function connect(channel: string, options: BroadcastTransportOptions = {}): EnvelopeTransport {
  const transport = createBroadcastTransport({ ...options, channel });
  onTestFinished(() => transport.close());
  return transport;
}

describe("compliance", () => {
  const open: { close(): Promise<void> }[] = [];
  const opened = <T extends { close(): Promise<void> }>(each: T): T => {
    open.push(each);
    return each;
  };
  const teardown = async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  };
  const channel = randomUUID();
  const make = () => opened(createBroadcastTransport({ channel }));

  describe("as a transport", () => {
    const setup = async () => ({ connect: make });
    for (const { name, run } of transportCompliance({ setup, teardown })) test(name, run);
  });
  describe("under a backend", () => {
    const setup = async () => ({ connect: () => opened(createBackend(make())) });
    for (const { name, run } of backendCompliance({ setup, teardown })) test(name, run);
  });
});

describe("a broadcast transport", () => {
  test("delivers to subscribers here and elsewhere, who do not see other channels", async () => {
    const name = randomUUID();
    const [here, there, other] = [connect(name), connect(name), connect(randomUUID())];
    const recipient = newKey();
    const [a, b, c] = await Promise.all([here, there, other].map((each) => each.subscribe(recipient)));
    const envelope = envelopeFor(recipient);
    expect(await here.publish(envelope)).toEqual({});
    for (const each of [a, b]) expect((await each?.[Symbol.asyncIterator]().next())?.value).toEqual(envelope);
    await other.publish(envelopeFor(recipient));
    expect((await c?.[Symbol.asyncIterator]().next())?.value).not.toEqual(envelope);
  });

  test("takes nothing for an envelope that is none", async () => {
    const name = randomUUID();
    const transport = connect(name);
    const recipient = newKey();
    const iterator = (await transport.subscribe(recipient))[Symbol.asyncIterator]();
    const stranger = new BroadcastChannel(`wice 1 envelopes ${name}`);
    onTestFinished(() => stranger.close());
    const envelope = envelopeFor(recipient);
    const bytes = encodeEnvelope(envelope);
    for (const word of [
      undefined,
      null,
      0,
      "hearing 0.5",
      {},
      [],
      { byteLength: 1e9, buffer: {} },
      new Uint8Array(),
      bytes.subarray(0, -1),
      bytes.buffer,
      new Map(),
    ])
      stranger.postMessage(word);
    stranger.postMessage(bytes);
    expect((await iterator.next()).value).toEqual(envelope);
  });

  test("keeps the newest envelopes for a subscriber that does not read", async () => {
    const transport = connect(randomUUID(), { maxQueuedEnvelopes: 2 });
    const recipient = newKey();
    const subscription = await transport.subscribe(recipient);
    const envelopes = [1, 2, 3].map(() => envelopeFor(recipient));
    for (const each of envelopes) await transport.publish(each);
    const iterator = subscription[Symbol.asyncIterator]();
    expect([(await iterator.next()).value, (await iterator.next()).value]).toEqual(envelopes.slice(1));
  });

  test("sends bytes that others decode", async () => {
    const name = randomUUID();
    const listener = new BroadcastChannel(`wice 1 envelopes ${name}`);
    onTestFinished(() => listener.close());
    const heard = new Promise<unknown>((resolve) => {
      listener.onmessage = ({ data }) => resolve(data);
    });
    const envelope = envelopeFor(newKey());
    await connect(name).publish(envelope);
    expect(decodeEnvelope((await heard) as Uint8Array)).toEqual(envelope);
  });

  test("that is closed while it waits to hear leaves no channel", async () => {
    const channels = countChannels();
    const transport = createBroadcastTransport({ channel: randomUUID() });
    const subscribing = rejectionOf(transport.subscribe(newKey()));
    expect(channels.open).toHaveLength(2);
    await transport.close();
    expect(await subscribing).toEqual(wiceError("closed"));
    expect(channels.open).toEqual([]);
  });

  test("leaves no channel and no listener, wherever a subscribe is aborted", async () => {
    const channels = countChannels();
    for (let steps = 0; ; steps++) {
      const transport = createBroadcastTransport({ channel: randomUUID() });
      const controller = createCountedController();
      let settled = false;
      const subscribing = transport.subscribe(newKey(), { signal: controller.signal });
      const outcome = subscribing.then(
        () => "live",
        (error: unknown) => error,
      );
      void outcome.then(() => {
        settled = true;
      });
      for (let i = 0; i < steps && !settled; i++) await new Promise<void>(steps < 20 ? queueMicrotask : setImmediate);
      const late = settled;
      controller.abort(reason);
      expect(await outcome).toBe(late ? "live" : reason);
      if (late) {
        const iterator = (await subscribing)[Symbol.asyncIterator]();
        expect(await rejectionOf(iterator.next())).toBe(reason);
      }
      await transport.close();
      expect({ steps, open: channels.open }).toEqual({ steps, open: [] });
      if (late) break;
    }
  });

  test("leaves no listener of a subscription that is closed", async () => {
    const transport = connect(randomUUID());
    const controller = createCountedController();
    const subscription = await transport.subscribe(newKey(), { signal: controller.signal });
    await subscription.close();
    await new Promise(setImmediate);
    expect(controller.listeners).toBe(0);
  });

  test("says so where the platform has no channels", () => {
    removeChannels();
    expect(() => createBroadcastTransport()).toThrow(wiceError("unsupported", /BroadcastChannel/));
  });
});

describe("a broadcast: URL", () => {
  const open = (url: string): EnvelopeTransport => {
    const transport = broadcastFactory().open(new URL(url));
    onTestFinished(() => transport.close());
    return transport;
  };

  test.each([
    ["broadcast:chess", "chess"],
    ["broadcast:chess%20club", "chess club"],
    ["broadcast:", undefined],
  ])("%s names a channel", async (url, channel) => {
    const key = generatePrivateKey().publicKey;
    const options = channel === undefined ? {} : { channel };
    const other = createBroadcastTransport(options);
    onTestFinished(() => other.close());
    const subscription = await open(url).subscribe(key);
    const envelope = envelopeFor(key);
    await other.publish(envelope);
    expect((await subscription[Symbol.asyncIterator]().next()).value).toEqual(envelope);
  });

  test.each(["broadcast://chess", "broadcast:/chess", "broadcast:chess?a=b", "broadcast:chess#a", "broadcast:%zz"])(
    "is not %s",
    (url) => {
      expect(() => open(url)).toThrow(wiceError("invalid-url", /broadcast:NAME/));
    },
  );
});
