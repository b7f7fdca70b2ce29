/** The weather of the playground, without a page: between a backend and its transport. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  createInProcessNetwork,
  type Envelope,
  type EnvelopeTransport,
  generatePrivateKey,
  type InProcessNetwork,
  type PublicKey,
} from "@wice/core";
import { type TransportFixture, transportCompliance } from "@wice/core/testing";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { clearWeather, type TransportObserver, type Weather, weatherTransport } from "../../playground/src/weather.ts";

const nobody: TransportObserver = { sending() {}, dropped() {}, arrived() {} };

function envelopeFor(recipient: PublicKey): Envelope {
  const [nonce, body] = [crypto.getRandomValues(new Uint8Array(24)), crypto.getRandomValues(new Uint8Array(100))];
  return { sender: generatePrivateKey().publicKey, recipient, nonce, body };
}

function open(network: InProcessNetwork, weather: Readonly<Weather>, observer = nobody) {
  const transport = weatherTransport(network.connect(), () => weather, observer);
  onTestFinished(() => transport.close());
  return transport;
}

describe("in clear weather", () => {
  const opened: EnvelopeTransport[] = [];
  const setup = async (): Promise<TransportFixture> => {
    const network = createInProcessNetwork();
    return {
      connect() {
        const transport = weatherTransport(network.connect(), () => clearWeather, nobody);
        opened.push(transport);
        return transport;
      },
    };
  };
  const teardown = async (): Promise<void> => {
    await Promise.all(opened.splice(0).map((transport) => transport.close()));
  };
  for (const { name, run } of transportCompliance({ setup, teardown })) test(name, run);
});

test("a subscription keeps no envelope that has passed", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const network = createInProcessNetwork();
  const transport = open(network, clearWeather);
  const { publicKey } = generatePrivateKey();
  const envelopes = (await transport.subscribe(publicKey))[Symbol.asyncIterator]();
  const passed: WeakRef<Envelope>[] = [];
  for (let i = 0; i < 100; i++) {
    await transport.publish(envelopeFor(publicKey));
    const { value } = await envelopes.next();
    passed.push(new WeakRef(value));
  }
  // The next is waited for, and the subscription is not over.
  envelopes.next().catch(() => {});
  await vi.waitFor(() => {
    collect();
    expect(passed.filter((envelope) => envelope.deref() !== undefined).length).toBeLessThan(5);
  });
});

test("cut off, it loses its subscriptions, takes none, and lets nothing out that was late", async () => {
  const network = createInProcessNetwork();
  const weather: Weather = { ...clearWeather, delayMs: 50 };
  const dropped = vi.fn();
  const transport = open(network, weather, { ...nobody, dropped });
  const { publicKey } = generatePrivateKey();
  const arrived = vi.fn();
  const listener = await network.connect().subscribe(publicKey);
  void (async () => {
    for await (const envelope of listener) arrived(envelope);
  })();
  const envelopes = (await transport.subscribe(publicKey))[Symbol.asyncIterator]();
  const lost = envelopes.next();
  await transport.publish(envelopeFor(publicKey));
  weather.cut = true;
  transport.cut();
  await expect(lost).rejects.toMatchObject({ code: "unavailable", retryable: true });
  await expect(transport.subscribe(publicKey)).rejects.toMatchObject({ code: "unavailable" });
  await expect(transport.publish(envelopeFor(publicKey))).rejects.toMatchObject({ code: "unavailable" });
  await vi.waitFor(() => expect(dropped).toHaveBeenCalledOnce());
  expect(arrived).not.toHaveBeenCalled();
});
