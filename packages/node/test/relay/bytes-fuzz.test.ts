/** Whatever bytes come, they are answered or the connection ends, and the relay serves the next one. */

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRelay, type Relay } from "../../src/relay/index.ts";
import { openSession, publish, publishPath, subscribePath } from "./raw-client.ts";
import { post } from "./raw-http1.ts";
import { openSocket, preface, requestFrames, subscribeFrames } from "./raw-socket.ts";
import { until } from "./relay.ts";
import { envelope, framed, someKey, subscribeParams } from "./wire.ts";

let relay: Relay;
beforeAll(async () => {
  relay = await createRelay({ limits: { maxRequestMs: 200 } });
});
afterAll(() => relay.close({ graceMs: 0 }));

const json = Buffer.from(JSON.stringify({ key: someKey().toString("base64") }));
const subscription = framed(subscribeParams({ key: someKey() }));
const healthPath = "/grpc.health.v1.Health/Watch";
const reflectionPath = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

const http1 = [
  post(publishPath, { "content-type": "application/proto" }, envelope()),
  post(publishPath, { "content-type": "application/grpc-web" }, framed(envelope())),
  post(subscribePath, { "content-type": "application/connect+proto" }, subscription),
  post(subscribePath, { "content-type": "application/connect+json" }, framed(json)),
  post(publishPath, { "content-type": "application/json", "content-encoding": "gzip" }, Buffer.from("{}")),
  post(healthPath, { "content-type": "application/grpc-web" }, framed(new Uint8Array())),
  Buffer.from(`GET ${publishPath} HTTP/1.1\r\nhost: relay\r\n\r\n`),
  Buffer.from("GET /healthz HTTP/1.1\r\nhost: relay\r\n\r\n"),
];
const http2 = [
  Buffer.concat([preface(), subscribeFrames(1, someKey())]),
  Buffer.concat([preface(), requestFrames(1, publishPath, "application/proto", envelope())]),
  Buffer.concat([preface(), requestFrames(1, subscribePath, "application/grpc-web+json", framed(json))]),
  Buffer.concat([preface(), requestFrames(1, healthPath, "application/grpc", framed(new Uint8Array()))]),
  Buffer.concat([preface(), requestFrames(1, reflectionPath, "application/grpc", framed(Buffer.of(0x3a, 0)))]),
];

type Change = (bytes: Buffer) => Buffer;

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)).map(
    ([where, byte]): Change =>
      (bytes) => {
        const copy = Buffer.from(bytes);
        copy[Math.floor(where * (bytes.length - 1))] = byte;
        return copy;
      },
  ),
  fc.double({ min: 0, max: 1, noNaN: true }).map(
    (where): Change =>
      (bytes) =>
        bytes.subarray(0, where * bytes.length),
  ),
  fc.uint8Array({ maxLength: 30 }).map(
    (more): Change =>
      (bytes) =>
        Buffer.concat([more, bytes]),
  ),
  fc.uint8Array({ maxLength: 30 }).map(
    (more): Change =>
      (bytes) =>
        Buffer.concat([bytes, more]),
  ),
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.uint8Array({ minLength: 1, maxLength: 10 })).map(
    ([where, more]): Change =>
      (bytes) => {
        const at = Math.floor(where * bytes.length);
        return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
      },
  ),
  fc.constant<Change>((bytes) => Buffer.concat([bytes, bytes])),
);

/** Sends the pieces, each in a turn of its own, and resolves when something has come back or the connection has ended. */
async function answeredOrEnded(pieces: readonly Uint8Array[]): Promise<void> {
  const socket = await openSocket(relay.port);
  const over = new Promise((resolve) => {
    socket.once("data", resolve);
    socket.once("close", resolve);
  });
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await over;
  socket.destroy();
}

describe.each([
  { version: "HTTP/1.1", requests: http1 },
  { version: "HTTP/2", requests: http2 },
])("$version, broken in any way", ({ requests }) => {
  test("is answered or ended, and leaves nothing behind", { timeout: 60_000 }, async () => {
    const broken = fc
      .tuple(fc.constantFrom(...requests), fc.array(change, { maxLength: 3 }), fc.array(fc.nat(300), { maxLength: 4 }))
      .map(([bytes, changes, cuts]) => {
        const all = changes.reduce((sofar, each) => each(sofar), bytes);
        const at = [0, ...cuts.filter((cut) => cut < all.length).sort((a, b) => a - b), all.length];
        return at.slice(1).map((end, i) => all.subarray(at[i], end));
      });
    await fc.assert(fc.asyncProperty(broken, answeredOrEnded), { numRuns: 400 });
    await until(() => relay.counters().connections === 0);
    expect(relay.counters()).toMatchObject({ subscriptions: 0, topics: 0, queuedBytes: 0, delayed: 0 });
    expect((await publish(openSession(relay.url), envelope())).grpc).toBe("0");
  });
});

test("noise is answered or ended", async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1 }), { minLength: 1 }), answeredOrEnded));
  await until(() => relay.counters().connections === 0);
});
