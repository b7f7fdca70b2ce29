/** What a stranger can make the router do, which is not much. */

import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { EnvelopeSchema, Signaling } from "@wice/core/wire";
import { describe, expect, test } from "vitest";
import { openSession, openStream, outcome, publish, publishPath, subscribePath } from "./raw-client.ts";
import { sleep, startRelay, until } from "./relay.ts";
import { outcomeOf, webCall } from "./web-call.ts";
import { envelope, envelopeFor, framed, someKey, subscribeParams } from "./wire.ts";

const encodings = [
  { name: "gzip", compression: compressionGzip, compress: gzipSync },
  {
    name: "br",
    compression: compressionBrotli,
    compress: (bytes: Uint8Array) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  },
];
const types = [
  { type: "application/grpc", header: "grpc-encoding", prefixed: true },
  { type: "application/grpc-web+proto", header: "grpc-encoding", prefixed: true },
  { type: "application/grpc-web+json", header: "grpc-encoding", prefixed: true },
  { type: "application/proto", header: "content-encoding", prefixed: false },
  { type: "application/json", header: "content-encoding", prefixed: false },
];
const compressed = encodings.flatMap((encoding) => types.map((type) => ({ ...encoding, ...type })));

describe.each(compressed)(
  "a publication compressed by $name in $type",
  ({ name, compress, type, header, prefixed }) => {
    const send = async (relay: { url: string }, message: Uint8Array, flags = 1) => {
      const body = [prefixed ? framed(message, flags) : message];
      const headers = { "content-type": type, [header]: name, te: "trailers" };
      return outcomeOf(type, await webCall(relay.url, { httpVersion: "2", path: publishPath, headers, body }));
    };
    const encode = (bytes: number): Buffer => {
      const message = envelopeFor(someKey(), bytes);
      if (!type.endsWith("json")) return Buffer.from(message);
      const { sender, recipient, contents } = fromBinary(EnvelopeSchema, message);
      const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString("base64");
      const json = { body: text(contents?.body), nonce: text(contents?.nonce) };
      return Buffer.from(JSON.stringify({ sender: text(sender), recipient: text(recipient), contents: json }));
    };

    test("is taken", async () => {
      const relay = await startRelay();
      expect((await send(relay, compress(encode(10_000)))).code).toBe("ok");
      if (prefixed) expect((await send(relay, encode(100), 0)).code).toBe("ok");
      expect(relay.counters().published).toBe(prefixed ? 2 : 1);
    });

    test("may not have been larger than any other, however small it has become", async () => {
      const relay = await startRelay();
      const before = process.memoryUsage.rss();
      for (const size of [120_000, 300_000_000]) {
        const bomb = compress(Buffer.alloc(size));
        expect(bomb.length).toBeLessThan(400_000);
        expect((await send(relay, bomb)).code).toBe("resource_exhausted");
      }
      expect(process.memoryUsage.rss() - before).toBeLessThan(600_000_000);
      expect(relay.counters().published).toBe(0);
    });

    test("is refused when it is compressed in another way", async () => {
      const relay = await startRelay();
      expect((await send(relay, Buffer.from("PLANTED, and no compression"))).code).toBe("invalid_argument");
      expect((await send(relay, compress(encode(100)).subarray(0, -9))).code).toBe("invalid_argument");
      expect(relay.counters().refused["invalid-argument"]).toBe(2);
    });
  },
);

test.each(encodings)("clients that compress by $name can do all that others can", async ({ compression }) => {
  const relay = await startRelay();
  const options = {
    baseUrl: relay.url,
    sendCompression: compression,
    acceptCompression: [compression],
    compressMinBytes: 1,
  };
  const transports = [
    createGrpcTransport(options),
    createGrpcWebTransport({ ...options, httpVersion: "2" }),
    createConnectTransport({ ...options, httpVersion: "1.1" }),
    createConnectTransport({ ...options, httpVersion: "2", useBinaryFormat: false }),
  ];
  for (const transport of transports) {
    const client = createClient(Signaling, transport);
    const key = someKey();
    const abort = new AbortController();
    const received = client.subscribe({ key }, { signal: abort.signal })[Symbol.asyncIterator]();
    await received.next();
    const sent = fromBinary(EnvelopeSchema, envelopeFor(key, 5_000));
    expect((await client.publish(sent)).subscribers).toBe(1);
    expect((await received.next()).value).toEqual(sent);
    abort.abort();
    await until(() => relay.counters().subscriptions === 0);
  }
});

test.each(["application/json", "application/grpc+json", "application/grpc-web+json"])(
  "what cannot be read in %s is not repeated, and breaks no header",
  async (type) => {
    const relay = await startRelay();
    for (const text of [
      '{"sender":"PLANTED PLANTED"}',
      `{"PLANTED${"x".repeat(60_000)}":1}`,
      "PLANTED",
      '"PLANTED',
      "\u0000PLANTED",
    ]) {
      for (const encoding of ["identity", "gzip"]) {
        const message = encoding === "gzip" ? gzipSync(text) : Buffer.from(text);
        const isGrpc = type.includes("grpc");
        const headers = { "content-type": type, [isGrpc ? "grpc-encoding" : "content-encoding"]: encoding };
        const body = [isGrpc ? framed(message, encoding === "gzip" ? 1 : 0) : message];
        const answer = await webCall(relay.url, { httpVersion: "2", path: publishPath, headers, body });
        expect(outcomeOf(type, answer).code).toBe("invalid_argument");
        expect(JSON.stringify(answer.headers) + answer.body.toString("latin1")).not.toContain("PLANTED");
      }
    }
  },
);

describe("a request of the router", () => {
  const path = "/cunicu.signaling.RelayRegistry/GetRelays";

  test("gets no memory for what it merely announces", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url, { settings: { initialWindowSize: 65_535 } });
    const before = process.memoryUsage();
    const prefix = Buffer.from([0, 0, 1, 0, 0]);
    for (let i = 0; i < 2_000; i++) {
      openStream(session, publishPath, { "content-type": "application/grpc+json" }).write(prefix);
    }
    await sleep(300);
    // 65,536 bytes each would be 131 MB.
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(40_000_000);
  });

  test("may come in any number of pieces, at no more cost", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const stream = openStream(session, publishPath, { "content-type": "application/grpc+json" });
    const ended = outcome(stream);
    const json = Buffer.from(JSON.stringify({ contents: { body: Buffer.alloc(30_000).toString("base64") } }));
    const startMs = performance.now();
    for (const byte of framed(json)) stream.write(Buffer.of(byte));
    stream.end();
    expect((await ended).grpc).toBe("3");
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });

  // A client that is still writing may see its stream reset before it has read the answer: HTTP/2 leaves that open.
  test("has only so much time, however steadily it trickles", { retry: 2 }, async () => {
    const relay = await startRelay({ limits: { maxRequestMs: 300 } });
    const stream = openStream(openSession(relay.url), path);
    const ended = outcome(stream);
    stream.write(Buffer.from([0, 0, 0, 0x0f, 0xff]));
    const timer = setInterval(() => stream.write(Buffer.of(0)), 20);
    expect((await ended).grpc).toBe("4");
    clearInterval(timer);
  });

  test("whose answer nobody takes is cut", async () => {
    const relay = await startRelay({ limits: { maxRequestMs: 100 } });
    const session = openSession(relay.url, { settings: { initialWindowSize: 0, enablePush: false } });
    const streams = [path, publishPath].map((method) => {
      const stream = openStream(session, method, { "content-type": "application/grpc-web+json" });
      stream.end(framed(Buffer.from('{"publicKey":""}')));
      return outcome(stream);
    });
    // Neither has anything but headers, or a reset.
    for (const result of await Promise.all(streams)) expect(result.messages).toHaveLength(0);
  });

  test("to a method that nobody knows is answered, and not waited for", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    for (const headers of [{}, { "content-type": "application/proto" }]) {
      const stream = openStream(session, "/no.Service/Method", headers);
      const ended = outcome(stream);
      stream.write(Buffer.alloc(10));
      const { http, grpc } = await ended;
      expect([http, grpc]).toEqual("content-type" in headers ? [404, undefined] : [200, "12"]);
    }
  });
});

describe("calls of one address that are under way", () => {
  const limits = { maxPendingBytesPerAddress: 10 * 4_096 };
  const kinds = ["application/grpc", "application/grpc-web", "application/json", "application/grpc+json"];

  test.each(kinds)("are limited in number, in %s, and make room when they end", async (type) => {
    const relay = await startRelay({ limits });
    const session = openSession(relay.url);
    const open = (at = publishPath) => {
      const stream = openStream(session, at, { "content-type": type });
      return { stream, ended: outcome(stream) };
    };
    for (let round = 0; round < 3; round++) {
      const calls = Array.from({ length: 10 }, () => open());
      await new Promise<void>((resolve) => session.ping(() => resolve()));
      const { stream, ended } = open();
      stream.end(type.endsWith("json") ? Buffer.from("{}") : framed(envelope()));
      const { http, grpc, headers } = await ended;
      expect(http === 429 || grpc === "8").toBe(true);
      expect(headers["grpc-retry-pushback-ms"]).toBe("1000");
      for (const call of calls) call.stream.close(8);
      await Promise.all(calls.map((call) => call.ended));
      // Now there is room.
      for (;;) if ((await publish(session, envelope())).grpc === "0") break;
    }
  });

  test("are limited in bytes", async () => {
    const relay = await startRelay({ limits });
    const session = openSession(relay.url);
    const first = openStream(session, publishPath);
    const ended = outcome(first);
    first.write(framed(envelopeFor(someKey(), 60_000)).subarray(0, 50_000));
    expect((await ended).grpc).toBe("8");
    expect((await publish(session, envelope())).grpc).toBe("0");
  });

  test("do not count as subscriptions that are live, nor keep those from others", async () => {
    const relay = await startRelay({ limits });
    const session = openSession(relay.url);
    for (let i = 0; i < 50; i++) {
      const stream = openStream(session, subscribePath);
      stream.end(framed(subscribeParams({ key: someKey() })));
      await new Promise((resolve) => stream.once("data", resolve));
    }
    expect(relay.counters().subscriptions).toBe(50);
    expect((await publish(session, envelope())).grpc).toBe("0");
  });
});

test("a deadline in a hundred years is none", async () => {
  const relay = await startRelay();
  const headers = { "content-type": "application/connect+json", "connect-timeout-ms": "9999999999" };
  const body = [framed(Buffer.from(JSON.stringify({ key: someKey().toString("base64") })))];
  const call = { httpVersion: "2", path: subscribePath, headers, body, cutAfterBytes: 5 } as const;
  expect(outcomeOf("application/connect+json", await webCall(relay.url, call)).code).toBeUndefined();
});
