import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Envelope, WiceError } from "@wice/core";
import { createVirtualClock } from "@wice/core/testing";
import type { EnvelopeSchema } from "@wice/core/wire";
import { afterEach, describe, expect, test, vi } from "vitest";
import { listenOpener } from "../src/connect/listen-stream.ts";
import { resolveSettings } from "../src/connect/options.ts";
import { envelopeFor, newKey } from "./support/envelopes.ts";
import { wiceError } from "./support/errors.ts";
import { createFakeListen, type FakeListen } from "./support/fake-listen.ts";
import { turns } from "./support/turns.ts";

afterEach(() => void vi.useRealTimers());

type Sent = MessageInitShape<typeof EnvelopeSchema>;

const key = newKey();
const empty = {} as const;
const boxOf = ({ sender, recipient, body, nonce }: Envelope): Sent => ({
  sender: sender.toBytes(),
  recipient: recipient.toBytes(),
  contents: { body, nonce },
});

/** A stream that was asked for, and what is told of it. */
function open(options: { heartbeatMs?: number; subscribeTimeoutMs?: number; maxEnvelopeBytes?: number } = {}) {
  const clock = createVirtualClock();
  const told: unknown[] = [];
  const heard = { count: 0 };
  const relay: FakeListen = createFakeListen();
  const settings = resolveSettings({ url: "https://relay.example", clock, ...options });
  const openStream = listenOpener(settings, relay.client, () => told.push("malformed"));
  const stream = openStream([key], {
    onLive: () => told.push("live"),
    onEnvelope: (envelope) => told.push(envelope),
    onHeard: () => {
      heard.count += 1;
    },
    onSuspect: () => told.push("suspect"),
    onEnd: (error) => told.push(error),
  });
  return { clock, relay, stream, told, heard };
}

describe("a stream of a relay", () => {
  test("asks for its keys, and is live with the first empty envelope", async () => {
    const { relay, told } = open();
    expect(relay.keys).toEqual([`${key}`]);
    await turns();
    expect(told).toEqual([]);
    await relay.send(empty);
    expect(told).toEqual(["live"]);
  });

  test("hands over envelopes, and takes empty ones for heartbeats", async () => {
    const { relay, told, heard } = open();
    const envelope = envelopeFor(key);
    await relay.send(empty, boxOf(envelope), empty, boxOf(envelope));
    expect(told).toEqual(["live", envelope, envelope]);
    expect(heard.count).toBe(4);
  });

  test("is live with an envelope that overtakes the first empty one", async () => {
    const { relay, told } = open();
    const envelope = envelopeFor(key);
    await relay.send(boxOf(envelope));
    expect(told).toEqual(["live", envelope]);
  });

  test.each<[string, Sent]>([
    ["has a sender and no contents", { sender: new Uint8Array(32) }],
    ["has contents that are no box", { contents: { body: new Uint8Array(1), nonce: new Uint8Array(1) } }],
  ])("counts what is no envelope, and goes on: it %s", async (_, message) => {
    const { relay, told } = open();
    const envelope = envelopeFor(key);
    await relay.send(empty, message, boxOf(envelope));
    expect(told).toEqual(["live", "malformed", envelope]);
  });

  test("counts an envelope that is larger than it may be", async () => {
    const { relay, told } = open({ maxEnvelopeBytes: 200 });
    await relay.send(empty, boxOf({ ...envelopeFor(key), body: new Uint8Array(200) }));
    expect(told).toEqual(["live", "malformed"]);
  });

  test("that ends in order ends with an error that is worth another try", async () => {
    const { relay, told, clock } = open();
    await relay.send(empty);
    await relay.end();
    expect(told).toEqual(["live", wiceError("unavailable", /relay\.example ended the stream/)]);
    expect(told[1]).toMatchObject({ retryable: true });
    expect(clock.pending).toBe(0);
  });

  test("that fails ends with what it failed with", async () => {
    const { relay, told } = open();
    const failure = new WiceError("resource-exhausted", "a quota is full", { retryable: true });
    await relay.end(failure);
    expect(told).toEqual([failure]);
  });

  test("whose code is at fault ends as well, with what was thrown as the cause", async () => {
    const { relay, told } = open();
    const cause = new RangeError("defect");
    await relay.end(cause);
    expect(told).toMatchObject([{ code: "internal", cause }]);
  });

  test("that is not confirmed in time ends, and names what may hold it back", async () => {
    const { relay, told, clock } = open({ subscribeTimeoutMs: 3_000 });
    await clock.advance(2_999);
    expect(told).toEqual([]);
    await clock.advance(1);
    expect(told).toEqual([wiceError("unavailable", /did not confirm the subscription within 3000 ms; a proxy/)]);
    expect(relay.aborted).toBe(true);
  });

  test("is silent once it was closed, and asks the relay for nothing any more", async () => {
    const { relay, stream, told, clock } = open();
    await relay.send(empty);
    stream.close();
    stream.close();
    expect(relay.aborted).toBe(true);
    expect(clock.pending).toBe(0);
    await relay.send(boxOf(envelopeFor(key)));
    await relay.end(new Error("aborted"));
    await clock.advance(600_000);
    expect(told).toEqual(["live"]);
  });

  test("can be closed by whoever is told of something", async () => {
    const relay = createFakeListen();
    const told: unknown[] = [];
    const settings = resolveSettings({ url: "https://relay.example", clock: createVirtualClock() });
    const stream = listenOpener(settings, relay.client, () => told.push("malformed"))([key], {
      onLive: () => stream.close(),
      onEnvelope: (envelope) => told.push(envelope),
      onHeard() {},
      onSuspect() {},
      onEnd: (error) => told.push(error),
    });
    await relay.send(boxOf(envelopeFor(key)), boxOf(envelopeFor(key)));
    await turns();
    expect(told).toEqual([]);
  });
});

describe("heartbeats", () => {
  test("that come keep a stream alive", async () => {
    const { relay, told, clock } = open({ heartbeatMs: 1_000 });
    await relay.send(empty);
    for (let i = 0; i < 10; i++) {
      await clock.advance(1_000);
      await relay.send(empty);
    }
    expect(told).toEqual(["live"]);
  });

  test("that stay away three times end it", async () => {
    const { relay, told, clock } = open({ heartbeatMs: 1_000 });
    await relay.send(empty);
    await clock.advance(1_000);
    await clock.advance(2_999);
    expect(told).toEqual(["live"]);
    await clock.advance(1);
    expect(told).toEqual(["live", wiceError("unavailable", /sent no heartbeat for 3000 ms/)]);
    expect(relay.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("may stay away twice, and the count begins anew", async () => {
    const { relay, told, clock } = open({ heartbeatMs: 1_000 });
    await relay.send(empty);
    for (let i = 0; i < 5; i++) {
      await clock.advance(2_500);
      await relay.send(boxOf(envelopeFor(key)));
    }
    expect(told.filter((each) => each instanceof Error)).toEqual([]);
  });

  test("that were not asked for are not missed", async () => {
    const { relay, told, clock } = open({ heartbeatMs: 0 });
    await relay.send(empty);
    expect(clock.pending).toBe(0);
    await clock.advance(3_600_000);
    expect(told).toEqual(["live"]);
  });

  test("that are missing after the page slept make the stream suspect, not dead", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { relay, told, clock } = open({ heartbeatMs: 1_000 });
    await relay.send(empty);
    await clock.advance(1_000);
    vi.setSystemTime(Date.now() + 3_600_000);
    await clock.advance(1_000);
    expect(told).toEqual(["live", "suspect"]);
    await relay.send(empty);
    await clock.advance(1_000);
    expect(told).toEqual(["live", "suspect"]);
  });

  test("that came while the page slept leave nothing to suspect", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { relay, told, clock } = open({ heartbeatMs: 1_000 });
    await relay.send(empty);
    await clock.advance(1_000);
    vi.setSystemTime(Date.now() + 3_600_000);
    await relay.send(empty);
    await clock.advance(1_000);
    expect(told).toEqual(["live"]);
  });
});
