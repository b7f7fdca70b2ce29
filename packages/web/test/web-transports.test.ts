import { randomUUID } from "node:crypto";
import type { EnvelopeTransport } from "@wice/core";
import { createBroadcastTransport, webTransports } from "@wice/web";
import { expect, onTestFinished, test } from "vitest";
import { envelopeFor, newKey } from "./support/envelopes.ts";
import { rejectionOf, wiceError } from "./support/errors.ts";

const closed = <T extends EnvelopeTransport>(transport: T): T => {
  onTestFinished(() => transport.close());
  return transport;
};

test("knows the schemes of a page", () => {
  expect(webTransports().schemes).toEqual(["https", "http", "broadcast", "inprocess"]);
  expect(() => webTransports().open("grpc://relay.example.org")).toThrow(wiceError("unknown-scheme", /https, http/));
});

test("opens relays with the options that it was given", async () => {
  const asked: string[] = [];
  const fetch: typeof globalThis.fetch = async (input) => {
    asked.push(String(input));
    throw new TypeError("fetch failed");
  };
  const registry = webTransports({ connect: { fetch, shareStream: false } });
  for (const url of ["https://relay.example.org/wice", "http://localhost:8080"]) {
    expect(await rejectionOf(closed(registry.open(url)).publish(envelopeFor(newKey())))).toEqual(
      wiceError("unavailable"),
    );
  }
  expect(asked).toEqual([
    "https://relay.example.org/wice/cunicu.signaling.Signaling/Publish",
    "http://localhost:8080/cunicu.signaling.Signaling/Publish",
  ]);
});

test.each(["broadcast:NAME", "inprocess:NAME"])("opens transports of %s that meet", async (url) => {
  const registry = webTransports();
  const named = url.replace("NAME", randomUUID());
  const [alice, bob] = [closed(registry.open(named)), closed(registry.open(named))];
  const recipient = newKey();
  const subscription = await bob.subscribe(recipient);
  const envelope = envelopeFor(recipient);
  await alice.publish(envelope);
  expect((await subscription[Symbol.asyncIterator]().next()).value).toEqual(envelope);
});

test("broadcast: alone is the default channel", async () => {
  const [alice, bob] = [closed(webTransports().open("broadcast:")), closed(createBroadcastTransport())];
  const recipient = newKey();
  const subscription = await bob.subscribe(recipient);
  const envelope = envelopeFor(recipient);
  await alice.publish(envelope);
  expect((await subscription[Symbol.asyncIterator]().next()).value).toEqual(envelope);
});
