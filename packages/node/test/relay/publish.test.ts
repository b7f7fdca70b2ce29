import { randomBytes } from "node:crypto";
import { constants } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { EnvelopeSchema, PublishResultSchema } from "@wice/core/wire";
import { describe, expect, test } from "vitest";
import { call, openSession, openStream, outcome, publish, publishPath, subscribe } from "./raw-client.ts";
import { sleep, startRelay, until } from "./relay.ts";
import { envelope, envelopeFor, framed, someKey } from "./wire.ts";

const [ok, invalidArgument, deadlineExceeded, resourceExhausted, unimplemented, internal] = [
  "0",
  "3",
  "4",
  "8",
  "12",
  "13",
];

describe("Publish", () => {
  test("hands the received bytes to every subscriber of the recipient, and to nobody else", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const key = someKey();
    const [first, second, other] = await Promise.all([
      subscribe(session, key),
      subscribe(openSession(relay.url), key),
      subscribe(session, someKey()),
    ]);
    const sent = envelopeFor(key);
    const result = await publish(session, sent);
    expect(result).toMatchObject({ http: 200, grpc: ok });
    expect(subscribersIn(result.messages)).toBe(2);
    await Promise.all([first.count(2), second.count(2)]);
    expect(first.messages[1]).toEqual(Buffer.from(sent));
    expect(second.messages[1]).toEqual(Buffer.from(sent));
    expect(other.messages).toHaveLength(1);
    expect(relay.counters()).toMatchObject({ published: 1, delivered: 2, reencoded: 0, subscriptions: 3, topics: 2 });
  });

  test("says so when nobody subscribes, instead of leaving the number out", async () => {
    const relay = await startRelay();
    const result = await publish(openSession(relay.url), envelope());
    expect(result.messages.map((message) => message.toString("hex"))).toEqual(["c03e00"]);
  });

  test("counts more subscribers than answers are prepared for", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const key = someKey();
    await Promise.all(Array.from({ length: 300 }, () => subscribe(session, key)));
    expect(subscribersIn((await publish(session, envelopeFor(key))).messages)).toBe(300);
  });

  test("lets a sender write to its own key, which members of a group share", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const key = someKey();
    const subscription = await subscribe(session, key);
    expect((await publish(session, envelope({ sender: key, recipient: key }))).grpc).toBe(ok);
    await subscription.count(2);
  });

  test.each(["application/grpc", "application/grpc+proto"])("answers %s in kind", async (contentType) => {
    const relay = await startRelay();
    const result = await call(openSession(relay.url), publishPath, framed(envelope()), { "content-type": contentType });
    expect(result.headers).toMatchObject({ "content-type": contentType, "grpc-status": ok });
  });

  test("decodes what is not plain, and passes on only what it understood", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const key = someKey();
    const subscription = await subscribe(session, key);
    const sent = envelopeFor(key);
    const unknown = Buffer.from([0x7a, 0x02, 0x01, 0x02]);
    // The recipient twice: the last one counts.
    const decoy = Buffer.concat([Buffer.from([0x12, 0x20]), someKey()]);
    expect((await publish(session, Buffer.concat([decoy, unknown, sent]))).grpc).toBe(ok);
    await subscription.count(2);
    expect(subscription.messages[1]).toEqual(Buffer.from(sent));
    expect(relay.counters()).toMatchObject({ published: 1, reencoded: 1 });
  });

  test("takes a request that is split anywhere", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const key = someKey();
    const subscription = await subscribe(session, key);
    const sent = envelopeFor(key);
    const frame = framed(sent);
    for (let at = 1; at < frame.length; at++) {
      const stream = openStream(session, publishPath);
      const result = outcome(stream);
      stream.write(frame.subarray(0, at));
      await new Promise<void>((resolve) => session.ping(() => resolve()));
      stream.end(frame.subarray(at));
      expect((await result).grpc).toBe(ok);
    }
    await subscription.count(frame.length);
    expect(subscription.messages.slice(1).every((message) => message.equals(sent))).toBe(true);
    expect(relay.counters().published).toBe(frame.length - 1);
  });

  test("takes a request that comes byte by byte", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const stream = openStream(session, publishPath);
    const result = outcome(stream);
    for (const byte of framed(envelope())) {
      stream.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    stream.end();
    expect((await result).grpc).toBe(ok);
  });

  test("asks for the body when the client waits to be asked", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    for (const contentType of ["application/grpc", "application/grpc+json"]) {
      const stream = openStream(session, publishPath, { expect: "100-continue", "content-type": contentType });
      const result = outcome(stream);
      await new Promise((resolve) => stream.once("continue", resolve));
      stream.end(framed(contentType.endsWith("json") ? Buffer.from("{}") : envelope()));
      expect((await result).grpc).toBe(contentType.endsWith("json") ? invalidArgument : ok);
    }
  });

  test("takes envelopes up to the limit, and nothing above it", async () => {
    const maxEnvelopeBytes = 65_536;
    const relay = await startRelay({ limits: { maxEnvelopeBytes } });
    const session = openSession(relay.url);
    const overhead = envelopeFor(someKey(), 60_000).length - 60_000;
    const key = someKey();
    const subscription = await subscribe(session, key);
    const largest = envelopeFor(key, maxEnvelopeBytes - overhead);
    expect(largest).toHaveLength(maxEnvelopeBytes);
    expect((await publish(session, largest)).grpc).toBe(ok);
    await subscription.count(2);
    expect(subscription.messages[1]?.equals(largest)).toBe(true);
    expect(await publish(session, envelopeFor(key, maxEnvelopeBytes - overhead + 1))).toMatchObject({
      grpc: resourceExhausted,
      message: "larger than 65536 bytes",
    });
    expect(relay.counters().refused["resource-exhausted"]).toBe(1);
  });

  test("refuses what is too large by its announcement, without waiting for it", async () => {
    const relay = await startRelay();
    const stream = openStream(openSession(relay.url), publishPath);
    const result = outcome(stream);
    stream.write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
    expect(await result).toMatchObject({ grpc: resourceExhausted, resetCode: constants.NGHTTP2_NO_ERROR });
  });
});

describe("Publish refuses", () => {
  const contents = { body: randomBytes(16), nonce: randomBytes(24) };
  const highBit = Buffer.alloc(32, 0xff);
  const malformed: [string, Uint8Array][] = [
    ["an empty message", new Uint8Array()],
    ["a sender of 31 bytes", envelope({ sender: randomBytes(31) })],
    ["a recipient of 33 bytes", envelope({ recipient: randomBytes(33) })],
    ["no recipient", envelope({ recipient: new Uint8Array() })],
    ["a sender that is not canonical", envelope({ sender: highBit })],
    ["a recipient that is not canonical", envelope({ recipient: highBit })],
    ["the zero key", envelope({ recipient: new Uint8Array(32) })],
    ["a point of low order", envelope({ sender: Buffer.concat([Buffer.of(1), Buffer.alloc(31)]) })],
    ["no contents", envelope({ contents: undefined })],
    ["empty contents", envelope({ contents: {} })],
    ["a nonce of 23 bytes", envelope({ contents: { ...contents, nonce: randomBytes(23) } })],
    ["a nonce of 25 bytes", envelope({ contents: { ...contents, nonce: randomBytes(25) } })],
    ["a body of 15 bytes", envelope({ contents: { ...contents, body: randomBytes(15) } })],
    ["truncated protobuf", envelope().subarray(0, -1)],
    ["something else", randomBytes(120)],
  ];
  test.each(malformed)("%s as an invalid argument", async (_, message) => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const result = await publish(session, message);
    expect(result).toMatchObject({ http: 200, grpc: invalidArgument, messages: [] });
    expect(relay.counters()).toMatchObject({ published: 0, refused: { "invalid-argument": 1 } });
    expect((await publish(session, envelope())).grpc).toBe(ok);
  });

  const valid = framed(envelope());
  test.each<[string, Uint8Array | undefined, string | undefined]>([
    ["a missing body", undefined, unimplemented],
    ["a cut prefix", valid.subarray(0, 4), invalidArgument],
    ["a cut message", valid.subarray(0, -1), invalidArgument],
    ["trailing garbage", Buffer.concat([valid, Buffer.of(0)]), unimplemented],
    ["a second message", Buffer.concat([valid, valid]), unimplemented],
    ["a compressed message whose compression no header names", framed(envelope(), 1), internal],
    ["unknown flags", framed(envelope(), 4), invalidArgument],
  ])("%s", async (_, body, status) => {
    const relay = await startRelay();
    const result = await call(openSession(relay.url), publishPath, body);
    expect(result).toMatchObject({ http: 200, grpc: status });
    expect(relay.counters().published).toBe(0);
  });

  test("a compression that it does not know, naming what it takes instead", async () => {
    const relay = await startRelay();
    const result = await call(openSession(relay.url), publishPath, framed(envelope(), 1), { "grpc-encoding": "lzma" });
    expect(result).toMatchObject({ grpc: unimplemented, message: expect.stringMatching(/gzip.*br/) });
  });

  test("without repeating anything of the request", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const planted = Buffer.from("PLANTED-planted-PLANTED-planted-PLANTED");
    const results = await Promise.all([
      publish(session, envelope({ sender: planted })),
      publish(session, planted),
      call(session, publishPath, framed(envelope()), { "grpc-timeout": "planted" }),
      call(session, "/cunicu.signaling.RelayRegistry/GetRelays", framed(planted)),
    ]);
    for (const result of results) {
      expect(result.grpc).not.toBe(ok);
      expect(JSON.stringify(result.headers)).not.toMatch(/planted/i);
    }
  });

  test.each([
    ["GET", { ":method": "GET" }, 405],
    ["PUT", { ":method": "PUT" }, 405],
    ["an unknown content type", { "content-type": "text/plain" }, 415],
    ["no content type", { "content-type": undefined }, 415],
  ])("%s by the status of HTTP", async (_, headers, http) => {
    const relay = await startRelay();
    const result = await call(openSession(relay.url), publishPath, undefined, headers);
    expect(result.http).toBe(http);
  });

  test("a request that does not arrive in time", async () => {
    const relay = await startRelay({ limits: { maxRequestMs: 50 } });
    const stream = openStream(openSession(relay.url), publishPath);
    stream.write(valid.subarray(0, 9));
    expect((await outcome(stream)).grpc).toBe(deadlineExceeded);
  });

  test("a request that does not arrive within the client's own deadline", async () => {
    const relay = await startRelay();
    const stream = openStream(openSession(relay.url), publishPath, { "grpc-timeout": "20m" });
    stream.write(valid.subarray(0, 9));
    expect((await outcome(stream)).grpc).toBe(deadlineExceeded);
  });

  test("a malformed deadline", async () => {
    const relay = await startRelay();
    const result = await call(openSession(relay.url), publishPath, valid, { "grpc-timeout": "soon" });
    expect(result.grpc).toBe(invalidArgument);
  });
});

describe("a client that goes away", () => {
  test.each([constants.NGHTTP2_CANCEL, constants.NGHTTP2_INTERNAL_ERROR, constants.NGHTTP2_NO_ERROR])(
    "by a reset with code %i at any time harms nobody",
    async (code) => {
      const relay = await startRelay();
      const session = openSession(relay.url);
      const frame = framed(envelope());
      for (const length of [0, 3, 5, 20, frame.length - 1, frame.length]) {
        for (const wait of [false, true]) {
          const stream = openStream(session, publishPath);
          const closed = outcome(stream);
          if (length > 0) stream.write(frame.subarray(0, length));
          if (wait) await new Promise<void>((resolve) => session.ping(() => resolve()));
          stream.close(code);
          await closed;
        }
      }
      expect((await publish(session, envelope())).grpc).toBe(ok);
    },
  );

  test("by a reset in the middle of its answer harms nobody", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    for (let i = 0; i < 50; i++) {
      const stream = openStream(session, publishPath);
      const closed = outcome(stream);
      stream.once("response", () => stream.close(constants.NGHTTP2_CANCEL));
      stream.end(framed(envelope()));
      await closed;
    }
    expect((await publish(session, envelope())).grpc).toBe(ok);
    expect(relay.counters().published).toBe(51);
  });

  test("with its whole connection in the middle of a request leaves nothing behind", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    openStream(session, publishPath).write(framed(envelope()).subarray(0, 30));
    await subscribe(session, someKey());
    await until(() => relay.counters().connections === 1);
    session.destroy();
    await until(() => relay.counters().connections === 0);
    expect(relay.counters()).toMatchObject({ subscriptions: 0, topics: 0, published: 0 });
  });
});

test("a publication under way is not held up by a request that never ends", async () => {
  const relay = await startRelay();
  const session = openSession(relay.url);
  for (let i = 0; i < 100; i++) openStream(session, publishPath).write(framed(envelope()).subarray(0, 50));
  await sleep(20);
  expect((await publish(session, envelope())).grpc).toBe(ok);
});

test("an answer can be read as upstream's Empty and by protobuf-es", async () => {
  const relay = await startRelay();
  const [answer] = (await publish(openSession(relay.url), envelope())).messages;
  expect(fromBinary(EnvelopeSchema, answer as Buffer)).toMatchObject({ sender: new Uint8Array() });
  expect(fromBinary(PublishResultSchema, answer as Buffer).subscribers).toBe(0);
});

function subscribersIn(messages: readonly Buffer[]): number | undefined {
  expect(messages).toHaveLength(1);
  return fromBinary(PublishResultSchema, messages[0] as Buffer).subscribers;
}
