/** The lean path and the router answer the same to the same request. */

import { randomBytes } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http";
import { create, toBinary } from "@bufbuild/protobuf";
import { ListenRequestSchema } from "@wice/core/wire";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRelay, type Relay } from "../../src/relay/index.ts";
import { publishPath, subscribePath } from "./raw-client.ts";
import { outcomeOf, type WebCall, webCall } from "./web-call.ts";
import { envelope, envelopeFor, framed, someKey, subscribeParams } from "./wire.ts";

const listenPath = "/wice.v1.Relay/Listen";
const maxEnvelopeBytes = 512;

/** A content type that the lean path takes; in other letters it means the same, and only the router takes it. */
interface Framing {
  readonly contentType: string;
  readonly httpVersion: "1.1" | "2";
  readonly kind: "publish" | "stream";
  readonly prefixed: boolean;
  /** The headers of its protocol. */
  readonly timeout: string;
  readonly encoding: string;
}

const framings: readonly Framing[] = (["2", "1.1"] as const).flatMap((httpVersion) =>
  (["publish", "stream"] as const).flatMap((kind) => {
    const grpc = { httpVersion, kind, prefixed: true, timeout: "grpc-timeout", encoding: "grpc-encoding" };
    const connect = { httpVersion, kind, timeout: "connect-timeout-ms" };
    return [
      ...(httpVersion === "2" ? [{ ...grpc, contentType: "application/grpc" }] : []),
      ...(httpVersion === "2" ? [{ ...grpc, contentType: "application/grpc+proto" }] : []),
      { ...grpc, contentType: "application/grpc-web" },
      { ...grpc, contentType: "application/grpc-web+proto" },
      kind === "publish"
        ? { ...connect, contentType: "application/proto", prefixed: false, encoding: "content-encoding" }
        : {
            ...connect,
            contentType: "application/connect+proto",
            prefixed: true,
            encoding: "connect-content-encoding",
          },
    ];
  }),
);

let relay: Relay;
beforeAll(async () => {
  relay = await createRelay({ limits: { maxEnvelopeBytes, maxKeysPerListen: 3, maxRequestMs: 2_000 } });
});
afterAll(() => relay.close({ graceMs: 0 }));

/** What both say, but for words: those of a parser differ. */
async function both(framing: Framing, call: Omit<WebCall, "httpVersion">) {
  const [lean, routed] = await Promise.all(
    [framing.contentType, framing.contentType.replace(/^[^/]*/, "Application")].map(async (contentType) => {
      // Pages cannot speak gRPC.
      const origin = /grpc($|\+)/.test(contentType) ? {} : { origin: "https://page.example" };
      const headers = { te: "trailers", ...origin, ...call.headers, "content-type": contentType };
      const answer = await webCall(relay.url, { ...call, headers, httpVersion: framing.httpVersion });
      const { http, code, retryAfterMs, messages } = outcomeOf(contentType, answer);
      const { "access-control-allow-origin": allowed, "access-control-expose-headers": exposed } = answer.headers;
      return {
        http,
        code,
        retryAfterMs,
        messages: messages.map((each) => each.toString("hex")),
        allowed,
        exposed,
      };
    }),
  );
  return { lean, routed };
}

const timeouts = (framing: Framing): fc.Arbitrary<OutgoingHttpHeaders> =>
  fc
    .constantFrom(
      undefined,
      "10S",
      "99999999H",
      "10000",
      "9999999999",
      "soon",
      "",
      "-1",
      "1.5S",
      "123456789m",
      "99999999999",
    )
    .map((value) => (value === undefined ? {} : { [framing.timeout]: value }));

const encodings = (framing: Framing): fc.Arbitrary<OutgoingHttpHeaders> =>
  fc
    .constantFrom(
      undefined,
      { [framing.encoding]: "identity" },
      { [framing.encoding]: "lzma" },
      // A header of another protocol.
      { [framing.encoding === "grpc-encoding" ? "connect-content-encoding" : "grpc-encoding"]: "gzip" },
    )
    .map((headers) => headers ?? {});

const versions: fc.Arbitrary<OutgoingHttpHeaders> = fc
  .constantFrom(undefined, "1", "2", "")
  .map((value) => (value === undefined ? {} : { "connect-protocol-version": value }));

const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));

const publishMessages = fc.oneof(
  { weight: 3, arbitrary: fc.nat(100).map((bytes) => Buffer.from(envelopeFor(someKey(), bytes))) },
  fc
    .constantFrom(maxEnvelopeBytes - 140, maxEnvelopeBytes, 600, 900)
    .map((n) => Buffer.from(envelopeFor(someKey(), n))),
  fc
    .constantFrom<Parameters<typeof envelope>[0]>(
      { sender: randomBytes(31) },
      { recipient: Buffer.alloc(32) },
      { sender: Buffer.alloc(32, 0xff) },
      { contents: undefined },
      { contents: { body: randomBytes(16), nonce: randomBytes(23) } },
    )
    .map((init) => Buffer.from(envelope(init))),
  fc.nat(90).map((at) => Buffer.from(envelope()).fill(0xff, at, at + 1)),
  fc.nat(90).map((length) => Buffer.from(envelope()).subarray(0, length)),
  noise,
);

const keys = fc.array(fc.constantFrom(someKey(), someKey(), someKey(), someKey(), randomBytes(31), Buffer.alloc(32)), {
  maxLength: 5,
});
const streamMessages = fc.oneof(
  { weight: 3, arbitrary: keys.map((some) => Buffer.from(subscribeParams({ key: some[0] ?? someKey() }))) },
  {
    weight: 3,
    arbitrary: keys.map((some) =>
      Buffer.from(toBinary(ListenRequestSchema, create(ListenRequestSchema, { keys: some }))),
    ),
  },
  noise,
);

/** Mostly as it should be. */
const frame = (message: Buffer): fc.Arbitrary<Buffer> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(framed(message)) },
    fc.constantFrom(1, 2, 3, 4, 0x80, 0x81, 0xff).map((flags) => framed(message, flags)),
    fc.nat(8).map((cut) => framed(message).subarray(0, -1 - cut)),
    fc.nat(5).map((length) => framed(message).subarray(0, length)),
    fc.constant(Buffer.concat([framed(message), framed(message)])),
    noise.map((more) => Buffer.concat([framed(message), more])),
    fc.constant(Buffer.from([0, 0xff, 0xff, 0xff, 0xff])),
  );

const inPieces = (bytes: Buffer): fc.Arbitrary<readonly Uint8Array[]> =>
  fc.array(fc.nat(bytes.length), { maxLength: 3 }).map((cuts) => {
    const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
    return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
  });

describe.each(framings)("$kind in $contentType over HTTP/$httpVersion", (framing) => {
  const paths = framing.kind === "publish" ? [publishPath] : [subscribePath, listenPath];
  const messages = framing.kind === "publish" ? publishMessages : streamMessages;
  const requests = fc
    .record({
      path: fc.constantFrom(...paths),
      headers: fc.tuple(timeouts(framing), encodings(framing), versions).map((parts) => Object.assign({}, ...parts)),
      message: messages,
    })
    .chain(({ path, headers, message }) =>
      (framing.prefixed ? frame(message) : fc.constant(message))
        .chain(inPieces)
        .map((body) => ({ path, headers: headers as OutgoingHttpHeaders, body })),
    );

  test("is answered alike, good or bad", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        // A stream is over, for this test, with its first empty envelope.
        const call = framing.kind === "stream" ? { ...request, cutAfterBytes: 5 } : request;
        const { lean, routed } = await both(framing, call);
        expect(lean).toEqual(routed);
        expect(lean?.http).toBeDefined();
      }),
      { numRuns: 100 },
    );
    expect(relay.counters().queuedBytes).toBe(0);
  });

  test("is refused alike when it does not arrive in time", async () => {
    const call = { path: paths[0] as string, body: [Buffer.of(0, 0)], endless: true };
    const value = framing.timeout === "grpc-timeout" ? "80m" : "80";
    const { lean, routed } = await both(framing, { ...call, headers: { [framing.timeout]: value } });
    expect(lean).toMatchObject({ code: "deadline_exceeded", messages: [] });
    expect(routed).toEqual(lean);
  });

  test.each(["GET", "PUT", "HEAD", "DELETE"])("%s is none of it", async (method) => {
    const { lean, routed } = await both(framing, { path: paths[0] as string, method, headers: {}, body: [] });
    expect(lean?.http).toBe(405);
    expect(routed).toEqual(lean);
  });
});

const streams = framings.filter(({ kind }) => kind === "stream");

describe.each(streams)("a subscription in $contentType over HTTP/$httpVersion", (framing) => {
  test("ends alike at the client's deadline", async () => {
    const body = [framed(subscribeParams({ key: someKey() }))];
    const value = framing.timeout === "grpc-timeout" ? "80m" : "80";
    const { lean, routed } = await both(framing, { path: subscribePath, headers: { [framing.timeout]: value }, body });
    expect(lean).toMatchObject({ code: "deadline_exceeded", messages: [""] });
    expect(routed).toEqual(lean);
  });
});
