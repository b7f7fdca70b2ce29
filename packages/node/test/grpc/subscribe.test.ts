import { fromBinary } from "@bufbuild/protobuf";
import { type Envelope, type EnvelopeSubscription, isWiceError } from "@wice/core";
import { SubscribeParamsSchema } from "@wice/core/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { GrpcClientOptions } from "../../src/grpc/options.ts";
import { createGrpcTransport, type GrpcTransport } from "../../src/grpc/transport.ts";
import {
  answer,
  begin,
  bob,
  emptyMessage,
  envelope,
  finish,
  framed,
  framedEnvelope,
  grpcHeaders,
  numberOf,
  refuse,
  rejection,
  type Script,
  type ScriptedServer,
  scriptedServer,
  until,
  welcome,
} from "./scripted-server.ts";

async function against(
  script: Script,
  body: (transport: GrpcTransport, server: ScriptedServer) => Promise<void>,
  options: GrpcClientOptions = {},
): Promise<void> {
  await using server = await scriptedServer(script);
  const transport = createGrpcTransport({ ...options, url: server.url });
  try {
    await body(transport, server);
  } finally {
    await transport.close();
  }
}

/** The numbers of the next envelopes. */
async function take(iterator: AsyncIterator<Envelope>, count: number): Promise<number[]> {
  const numbers: number[] = [];
  while (numbers.length < count) {
    const { done, value } = await iterator.next();
    if (done) throw new Error("the subscription ended early");
    numbers.push(numberOf(value));
  }
  return numbers;
}

const iterate = (subscription: EnvelopeSubscription): AsyncIterator<Envelope> => subscription[Symbol.asyncIterator]();

describe("subscribe", () => {
  test("resolves with the server's first empty envelope, not before", async () => {
    let confirm = (): void => {};
    await against(
      ({ stream }) => {
        begin(stream);
        confirm = () => stream.write(emptyMessage);
      },
      async (transport, server) => {
        let live = false;
        const subscribed = transport.subscribe(bob).then(() => {
          live = true;
        });
        await until(() => server.requests.length === 1);
        await new Promise((resolve) => setTimeout(resolve, 50));
        expect(live).toBe(false);
        confirm();
        await subscribed;
      },
    );
  });

  test("names the key, and asks for heartbeats unless told not to", async () => {
    for (const heartbeatMs of [1234, 0]) {
      await against(
        ({ stream }) => welcome(stream),
        async (transport, server) => {
          await transport.subscribe(bob);
          const params = fromBinary(SubscribeParamsSchema, server.requests[0]?.message ?? new Uint8Array());
          expect([...params.key]).toEqual([...bob.toBytes()]);
          expect(params.heartbeatMs).toBe(heartbeatMs);
        },
        { heartbeatMs },
      );
    }
  });

  test("rejects when the server does not confirm in time, and cancels the call", async () => {
    let cancelled = false;
    await against(
      ({ stream }) => {
        begin(stream);
        stream.once("aborted", () => {
          cancelled = stream.rstCode === 8;
        });
      },
      async (transport) => {
        const error = await rejection(transport.subscribe(bob));
        expect(error).toMatchObject({ code: "unavailable", retryable: true });
        await until(() => cancelled);
      },
      { subscribeTimeoutMs: 100 },
    );
  });

  test.each<[string, Script, string, boolean]>([
    ["a clean end", ({ stream }) => refuse(stream, 0), "unavailable", true],
    ["Unavailable", ({ stream }) => refuse(stream, 14), "unavailable", true],
    ["Unauthenticated", ({ stream }) => refuse(stream, 16), "unauthenticated", false],
    ["Unimplemented", ({ stream }) => refuse(stream, 12), "unsupported", false],
    ["REFUSED_STREAM", ({ stream }) => stream.close(7), "unavailable", true],
    [
      "HTTP 404",
      ({ stream }) => {
        stream.respond({ ":status": 404, "content-type": "text/html" });
        stream.end("<html>");
      },
      "unsupported",
      false,
    ],
    [
      "garbage",
      ({ stream }) => {
        begin(stream);
        stream.write("garbage");
      },
      "protocol",
      false,
    ],
  ])("rejects when the server's first answer is %s", (_name, script, code, retryable) =>
    against(script, async (transport) => {
      expect(await rejection(transport.subscribe(bob))).toMatchObject({ code, retryable });
    }),
  );
});

describe("a live subscription", () => {
  test("gets envelopes unaltered, whatever the size of the pieces they come in", async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    console.log(`subscription seed: ${seed}`);
    const bytes = Buffer.concat([
      emptyMessage,
      framedEnvelope(1),
      framedEnvelope(2, 3000),
      emptyMessage,
      framedEnvelope(3, 16),
    ]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 6 }), async (places) => {
        const cuts = [0, ...places.sort((a, b) => a - b), bytes.length];
        await against(
          async ({ stream }) => {
            begin(stream);
            for (const [i, end] of cuts.slice(1).entries()) {
              stream.write(bytes.subarray(cuts[i], end));
              await new Promise((resolve) => setImmediate(resolve));
            }
          },
          async (transport) => {
            const iterator = iterate(await transport.subscribe(bob));
            for (const [number, size] of [
              [1, 32],
              [2, 3000],
              [3, 16],
            ] as const) {
              const { value } = await iterator.next();
              expect(value.body).toEqual(envelope(number, size).body);
              expect(value.sender.equals(envelope(number).sender)).toBe(true);
            }
          },
        );
      }),
      { seed, numRuns: 15 },
    );
  });

  test("gets envelopes that come byte by byte", () =>
    against(
      async ({ stream }) => {
        welcome(stream);
        for (const byte of framedEnvelope(9)) {
          stream.write(Uint8Array.of(byte));
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
      async (transport) => expect(await take(iterate(await transport.subscribe(bob)), 1)).toEqual([9]),
    ));

  test("gets an envelope that came in the place of the first empty one", () =>
    against(
      ({ stream }) => {
        begin(stream);
        stream.write(framedEnvelope(7));
      },
      async (transport) => expect(await take(iterate(await transport.subscribe(bob)), 1)).toEqual([7]),
    ));

  test("drops and counts what a stranger got wrong, and goes on", () =>
    against(
      ({ stream }) => {
        welcome(stream);
        stream.write(framed(Buffer.from("no envelope")));
        stream.write(framed(Uint8Array.of(10, 2, 1, 2)));
        stream.write(framedEnvelope(1, 70_000));
        stream.write(framed(Buffer.alloc(3_000_000)));
        stream.write(framedEnvelope(2));
      },
      async (transport) => {
        expect(await take(iterate(await transport.subscribe(bob)), 1)).toEqual([2]);
        expect(transport.dropped).toEqual({ malformed: 2, oversized: 2 });
      },
    ));

  test.each<[string, (stream: Parameters<Script>[0]["stream"]) => void, string, boolean]>([
    ["a clean end", (stream) => finish(stream, { "grpc-status": "0" }), "unavailable", true],
    ["Unavailable", (stream) => finish(stream, { "grpc-status": "14" }), "unavailable", true],
    ["InvalidArgument", (stream) => finish(stream, { "grpc-status": "3" }), "unavailable", true],
    ["ResourceExhausted", (stream) => finish(stream, { "grpc-status": "8" }), "unavailable", true],
    ["PermissionDenied", (stream) => finish(stream, { "grpc-status": "7" }), "unavailable", true],
    ["a status nobody knows", (stream) => finish(stream, { "grpc-status": "x" }), "unavailable", true],
    ["an end without status", (stream) => finish(stream, {}), "unavailable", true],
    ["a reset", (stream) => stream.close(2), "unavailable", true],
    ["a reset that says no error", (stream) => stream.close(0), "unavailable", true],
    ["a cut connection", (stream) => stream.session?.destroy(), "unavailable", true],
    ["GOAWAY with an error", (stream) => stream.session?.destroy(undefined, 2), "unavailable", true],
    ["a compressed message", (stream) => void stream.write(framed(Buffer.from("x"), 1)), "protocol", false],
  ])("rejects after %s, once, and is then over", (_name, end, code, retryable) =>
    against(
      ({ stream }) => {
        welcome(stream);
        stream.write(framedEnvelope(1));
        setTimeout(() => end(stream), 20);
      },
      async (transport) => {
        const iterator = iterate(await transport.subscribe(bob));
        expect(await take(iterator, 1)).toEqual([1]);
        expect(await rejection(iterator.next())).toMatchObject({ code, retryable });
        expect(await iterator.next()).toEqual({ done: true, value: undefined });
      },
    ),
  );

  test("that gets garbage cancels its call, after what came before was handed out", async () => {
    let code: number | undefined;
    await against(
      ({ stream }) => {
        welcome(stream);
        stream.write(Buffer.concat([framedEnvelope(1), framed(Buffer.from("x"), 9)]));
        stream.once("close", () => {
          code = stream.rstCode;
        });
      },
      async (transport) => {
        const iterator = iterate(await transport.subscribe(bob));
        await until(() => code === 8);
        expect(await take(iterator, 1)).toEqual([1]);
        expect(await rejection(iterator.next())).toMatchObject({ code: "protocol", retryable: false });
      },
    );
  });

  test("hands out what came before its end, then rejects", () =>
    against(
      ({ stream }) => {
        welcome(stream);
        for (let i = 0; i < 5; i++) stream.write(framedEnvelope(i));
        finish(stream, { "grpc-status": "14" });
      },
      async (transport) => {
        const subscription = await transport.subscribe(bob);
        await new Promise((resolve) => setTimeout(resolve, 100));
        const iterator = iterate(subscription);
        expect(await take(iterator, 5)).toEqual([0, 1, 2, 3, 4]);
        expect(isWiceError(await rejection(iterator.next()), "unavailable")).toBe(true);
      },
    ));

  test("that nobody reads holds the server back, and loses nothing", async () => {
    const total = 20_000;
    let sent = 0;
    await against(
      async ({ stream, method }) => {
        if (method === "Publish") return answer(stream);
        welcome(stream);
        while (sent < total) {
          sent += 1;
          if (!stream.write(framedEnvelope(sent, 200))) await new Promise((resolve) => stream.once("drain", resolve));
        }
      },
      async (transport) => {
        const subscription = await transport.subscribe(bob);
        await new Promise((resolve) => setTimeout(resolve, 200));
        const sentUnread = sent;
        expect(sentUnread).toBeLessThan(total / 2);
        await new Promise((resolve) => setTimeout(resolve, 100));
        expect(sent).toBe(sentUnread);
        await transport.publish(envelope(1));
        const numbers = await take(iterate(subscription), total);
        expect(numbers.every((number, i) => number === i + 1)).toBe(true);
      },
    );
  });

  test("that nobody reads still learns that its connection is gone", () =>
    against(
      ({ stream }) => {
        welcome(stream);
        for (let i = 0; i < 5000; i++) stream.write(framedEnvelope(i, 200));
      },
      async (transport, server) => {
        const subscription = await transport.subscribe(bob);
        await new Promise((resolve) => setTimeout(resolve, 100));
        for (const session of server.sessions) session.destroy();
        await new Promise((resolve) => setTimeout(resolve, 50));
        const iterator = iterate(subscription);
        const error = await rejection(take(iterator, 5000));
        expect(error).toMatchObject({ code: "unavailable", retryable: true });
      },
    ));

  test.each(["return", "close", "abort", "transport.close"] as const)("ended by %s cancels its call", async (how) => {
    let code: number | undefined;
    await against(
      ({ stream }) => {
        welcome(stream);
        stream.write(framedEnvelope(1));
        stream.once("close", () => {
          code = stream.rstCode;
        });
      },
      async (transport, server) => {
        const controller = new AbortController();
        const subscription = await transport.subscribe(bob, { signal: controller.signal });
        const iterator = iterate(subscription);
        await take(iterator, 1);
        const pending = [iterator.next(), iterator.next()];
        const results = Promise.allSettled(pending);
        const reason = new Error("enough");
        if (how === "return") expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
        else if (how === "close") await subscription.close();
        else if (how === "abort") controller.abort(reason);
        else await transport.close();
        const end = { status: "fulfilled", value: { done: true, value: undefined } };
        expect(await results).toEqual([how === "abort" ? { status: "rejected", reason } : end, end]);
        expect(await iterator.next()).toEqual({ done: true, value: undefined });
        await subscription.close();
        await until(() => code !== undefined);
        if (how !== "transport.close") {
          expect(code).toBe(8);
          expect(server.sessions[0]?.destroyed).toBe(false);
        }
      },
    );
  });

  test("that is held back can be ended", async () => {
    let code: number | undefined;
    await against(
      ({ stream }) => {
        welcome(stream);
        for (let i = 0; i < 5000; i++) stream.write(framedEnvelope(i, 200));
        stream.once("close", () => {
          code = stream.rstCode;
        });
      },
      async (transport) => {
        const subscription = await transport.subscribe(bob);
        await new Promise((resolve) => setTimeout(resolve, 100));
        await subscription.close();
        await until(() => code === 8);
        expect(await iterate(subscription).next()).toEqual({ done: true, value: undefined });
      },
    );
  });

  test("goes on where a first loop stopped looking without leaving", () =>
    against(
      ({ stream }) => {
        welcome(stream);
        stream.write(Buffer.concat([framedEnvelope(1), framedEnvelope(2)]));
      },
      async (transport) => {
        const subscription = await transport.subscribe(bob);
        expect(await take(iterate(subscription), 1)).toEqual([1]);
        expect(await take(iterate(subscription), 1)).toEqual([2]);
      },
    ));

  test("by the thousand, opened and dropped on one connection, leaves nothing behind", async () => {
    const open = new Set<unknown>();
    await against(
      ({ stream }) => {
        welcome(stream);
        open.add(stream);
        stream.once("close", () => open.delete(stream));
      },
      async (transport, server) => {
        for (let round = 0; round < 4; round++) {
          const subscriptions = await Promise.all(Array.from({ length: 250 }, () => transport.subscribe(bob)));
          await Promise.all(subscriptions.map((subscription) => subscription.close()));
        }
        await until(() => open.size === 0);
        expect(server.sessions.length).toBe(1);
      },
    );
  });

  test("of a server that sends heartbeats is given up when they stay away", () =>
    against(
      ({ stream }) => {
        welcome(stream);
        setTimeout(() => stream.write(emptyMessage), 50);
      },
      async (transport) => {
        const iterator = iterate(await transport.subscribe(bob));
        const start = performance.now();
        const error = await rejection(iterator.next());
        expect(error).toMatchObject({ code: "unavailable", retryable: true });
        expect(String(error)).toMatch(/no heartbeat/);
        expect(performance.now() - start).toBeGreaterThan(140);
      },
      { heartbeatMs: 50 },
    ));

  test("of a server that sends heartbeats goes on while they come, and while envelopes come instead", async () => {
    let beat: NodeJS.Timeout | undefined;
    await against(
      ({ stream }) => {
        welcome(stream);
        let count = 0;
        beat = setInterval(() => {
          count += 1;
          stream.write(count < 15 ? emptyMessage : framedEnvelope(count));
        }, 40);
      },
      async (transport) => {
        const iterator = iterate(await transport.subscribe(bob));
        expect(await take(iterator, 10)).toEqual([15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
      },
      { heartbeatMs: 50 },
    );
    clearInterval(beat);
  });

  test("of a server that never sent a heartbeat is not given up", () =>
    against(
      ({ stream }) => {
        welcome(stream);
        setTimeout(() => stream.write(framedEnvelope(1)), 500);
      },
      async (transport) => expect(await take(iterate(await transport.subscribe(bob)), 1)).toEqual([1]),
      { heartbeatMs: 50 },
    ));
});

test("answers without the headers of gRPC end nothing but the call", () =>
  against(
    ({ stream, method }) => {
      if (method === "Publish") return answer(stream);
      stream.respond({ ...grpcHeaders, "content-type": "application/json" });
      stream.write("{}");
    },
    async (transport) => {
      expect(await rejection(transport.subscribe(bob))).toMatchObject({ code: "protocol" });
      expect(await transport.publish(envelope(1))).toEqual({});
    },
  ));
