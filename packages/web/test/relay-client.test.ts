import { fromBinary } from "@bufbuild/protobuf";
import { encodeEnvelope } from "@wice/core";
import { createVirtualClock } from "@wice/core/testing";
import { EnvelopeSchema, ListenRequestSchema } from "@wice/core/wire";
import { describe, expect, test } from "vitest";
import { type ConnectClientOptions, resolveSettings } from "../src/connect/options.ts";
import { createRelayClient } from "../src/connect/relay-client.ts";
import { createCountedController } from "./support/counted-signal.ts";
import { envelopeFor, newKey } from "./support/envelopes.ts";
import { rejectionOf, wiceError } from "./support/errors.ts";
import { type Asked, answered, bodyOf, connectEnd, createFakeRelay, frame, grpcWebEnd } from "./support/fake-relay.ts";

type Answer = Parameters<typeof createFakeRelay>[0];

const envelope = envelopeFor(newKey());
const none = new Uint8Array();
/** `PublishResult { subscribers: 3 }`. */
const three = Uint8Array.of(0xc0, 0x3e, 3);

function clientOf(answer: Answer, options: ConnectClientOptions = {}) {
  const relay = createFakeRelay(answer);
  const settings = resolveSettings({ url: "https://relay.example/path/", fetch: relay.fetch, ...options });
  const client = createRelayClient(settings);
  return {
    asked: relay.asked,
    publish: (signal?: AbortSignal) => client.publish(envelope, signal),
    /** What comes, and how it ends. */
    async listen(signal = new AbortController().signal) {
      const messages: Uint8Array[] = [];
      const keys = [newKey(), newKey()];
      const over = (async () => {
        for await (const { sender } of client.listen(keys, signal)) messages.push(sender);
      })();
      const outcome = await over.then(
        () => "ended",
        (error: unknown) => error,
      );
      return { keys, messages, outcome };
    },
  };
}

/** How each protocol answers the same. */
const protocols = {
  connect: {
    stream: "application/connect+proto",
    bodyOf: ({ body }: Asked) => body,
    result: (message: Uint8Array) => answered("application/proto", message.slice()),
    refusal: (code: string, message: string, pushback?: string) =>
      answered("application/json", JSON.stringify({ code, message }), 429, {
        ...(pushback !== undefined && { "grpc-retry-pushback-ms": pushback }),
      }),
    end: (error?: { code: string; message: string }, pushback?: string) =>
      connectEnd({ error, ...(pushback !== undefined && { metadata: { "grpc-retry-pushback-ms": [pushback] } }) }),
  },
  "grpc-web": {
    stream: "application/grpc-web+proto",
    bodyOf: ({ body }: Asked) => body.subarray(5),
    result: (message: Uint8Array) =>
      answered("application/grpc-web+proto", bodyOf([frame(message), grpcWebEnd({ "grpc-status": "0" })])),
    refusal: (code: string, message: string, pushback?: string) =>
      answered("application/grpc-web+proto", bodyOf([endOf(code, message, pushback)])),
    end: (error?: { code: string; message: string }, pushback?: string) =>
      error === undefined ? grpcWebEnd({ "grpc-status": "0" }) : endOf(error.code, error.message, pushback),
  },
};

const numbers: Readonly<Record<string, number>> = { resource_exhausted: 8, deadline_exceeded: 4, unavailable: 14 };

function endOf(code: string, message: string, pushback?: string): Uint8Array {
  const hint = pushback === undefined ? {} : { "grpc-retry-pushback-ms": pushback };
  return grpcWebEnd({ "grpc-status": `${numbers[code]}`, "grpc-message": message, ...hint });
}

describe.each(["connect", "grpc-web"] as const)("a relay that is spoken to in %s", (protocol) => {
  const { stream, bodyOf: messageOf, result, refusal, end } = protocols[protocol];
  const open = (answer: Answer, options: ConnectClientOptions = {}) => clientOf(answer, { protocol, ...options });

  test("gets the envelope as it is, at the path of its URL, and how much time there is", async () => {
    const { publish, asked } = open(() => result(three), { publishTimeoutMs: 2_500 });
    expect(await publish()).toEqual({ subscribers: 3 });
    const [call] = asked as [Asked];
    expect(call.url).toBe("https://relay.example/path/cunicu.signaling.Signaling/Publish");
    expect(messageOf(call)).toEqual(encodeEnvelope(envelope));
    expect([call.headers.get("connect-timeout-ms"), call.headers.get("grpc-timeout")]).toContain(
      protocol === "connect" ? "2500" : "2500m",
    );
  });

  test("may not count subscribers", async () => {
    expect(await open(() => result(none)).publish()).toEqual({});
  });

  test("gets nothing that is too large, or no box", async () => {
    const { publish, asked } = open(() => result(none), { maxEnvelopeBytes: 100 });
    expect(await rejectionOf(publish())).toEqual(wiceError("too-large", /bytes; 100 are allowed/));
    expect(asked).toEqual([]);
  });

  test("refuses in words, and says when to come back", async () => {
    const error = await rejectionOf(open(() => refusal("resource_exhausted", "slow down", "1500")).publish());
    expect(error).toEqual(wiceError("resource-exhausted", /^relay\.example answered ResourceExhausted: slow down$/));
    expect(error).toMatchObject({ retryable: true, retryAfterMs: 1_500 });
    const final = await rejectionOf(open(() => refusal("resource_exhausted", "too large", "never")).publish());
    expect(final).toMatchObject({ code: "resource-exhausted", retryable: false });
  });

  test("that ran out of time is told by how much", async () => {
    const { publish } = open(() => refusal("deadline_exceeded", "", undefined), { publishTimeoutMs: 2_500 });
    expect(await rejectionOf(publish())).toEqual(wiceError("unavailable", /did not answer within 2500 ms/));
  });

  test("whose answer breaks off is worth another try", async () => {
    const type = protocol === "connect" ? "application/proto" : stream;
    const broken = new TypeError("network error");
    const { publish } = open(() => answered(type, bodyOf([], broken)));
    const error = await rejectionOf(publish());
    expect(error).toEqual(wiceError("unavailable", /the connection to relay\.example broke/));
    expect(error).toMatchObject({ retryable: true });
  });

  test.each([0, 1, 2, 5, 20])("lets go of a publish that is aborted after %i turns", async (count) => {
    const { publish, asked } = open(() => undefined);
    const counted = createCountedController();
    const reason = new Error("enough");
    const rejected = rejectionOf(publish(counted.signal));
    for (let i = 0; i < count; i++) await undefined;
    counted.abort(reason);
    expect(await rejected).toBe(reason);
    for (const { signal } of asked) expect(signal.aborted).toBe(true);
  });

  test("is asked for all keys at once, and for heartbeats", async () => {
    const { listen, asked } = open(() => answered(stream, bodyOf([frame(none), end()])), { heartbeatMs: 5_000 });
    const { keys } = await listen();
    const [call] = asked as [Asked];
    expect(call.url).toBe("https://relay.example/path/wice.v1.Relay/Listen");
    expect(call.headers.get("content-type")).toBe(stream);
    const params = fromBinary(ListenRequestSchema, call.body.subarray(5));
    expect(params).toMatchObject({ keys: keys.map((key) => key.toBytes()), heartbeatMs: 5_000 });
  });

  test("sends messages in whatever pieces the network likes", async () => {
    const wire = encodeEnvelope(envelope);
    const whole = Uint8Array.from([...frame(wire), ...frame(none), ...frame(wire), ...end()]);
    const { sender } = fromBinary(EnvelopeSchema, wire);
    for (const size of [1, 2, 7, wire.length, whole.length]) {
      const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
        whole.subarray(index * size, (index + 1) * size),
      );
      const { messages, outcome } = await open(() => answered(stream, bodyOf(pieces))).listen();
      expect(messages).toEqual([sender, none, sender]);
      expect(outcome).toBe("ended");
    }
  });

  test("ends a stream with its reason, after what came", async () => {
    const last = end({ code: "unavailable", message: "draining" }, "200");
    const { messages, outcome } = await open(() => answered(stream, bodyOf([frame(none), last]))).listen();
    expect(messages).toEqual([none]);
    expect(outcome).toEqual(wiceError("unavailable", /answered Unavailable: draining/));
    expect(outcome).toMatchObject({ retryable: true, retryAfterMs: 200 });
  });

  test.each<[string, readonly Uint8Array[], "ends" | Error]>([
    ["ends without saying why", [frame(none)], "ends"],
    ["breaks off", [frame(none)], new TypeError("network error")],
    ["ends in a message", [frame(none), frame(Uint8Array.of(1, 2, 3)).subarray(0, 6)], "ends"],
  ])("whose stream %s is worth another try", async (_, pieces, then) => {
    const { outcome } = await open(() => answered(stream, bodyOf(pieces, then))).listen();
    expect(outcome).toEqual(wiceError("unavailable", /relay\.example/));
    expect(outcome).toMatchObject({ retryable: true });
  });

  test.each([0, 1, 2, 5, 20])("lets go of a stream that is aborted after %i turns", async (count) => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const { listen } = open(() => answered(stream, bodyOf([frame(none)], "goes on")));
    const listening = listen(controller.signal);
    for (let i = 0; i < count; i++) await undefined;
    controller.abort(reason);
    expect((await listening).outcome).toBe(reason);
  });
});

describe("a relay that is spoken to in Connect", () => {
  test("that is silent is given up, with a fetch that does not heed its signal as well", async () => {
    const clock = createVirtualClock();
    const { publish } = clientOf(() => new Promise(() => {}), { clock, publishTimeoutMs: 2_500 });
    const rejected = rejectionOf(publish());
    await clock.advance(2_499);
    expect(await Promise.race([rejected, "waiting"])).toBe("waiting");
    await clock.advance(1);
    expect(await rejected).toEqual(wiceError("unavailable", /did not answer within 2500 ms/));
    expect(clock.pending).toBe(0);
  });

  test("leaves neither a timer nor a listener behind when it has answered", async () => {
    const clock = createVirtualClock();
    const counted = createCountedController();
    await clientOf(() => answered("application/proto", none), { clock }).publish(counted.signal);
    expect(clock.pending).toBe(0);
    expect(counted.listeners).toBe(0);
  });

  test.each<[string, Uint8Array]>([
    ["is compressed, which nobody asked for", frame(none, 0b01)],
    ["has a message that is none", frame(Uint8Array.of(0xff))],
    ["ends in what is no JSON", frame("{", 0b10)],
    ["ends in JSON that is no object", frame("null", 0b10)],
    ["ends in an error with a code that nobody knows", connectEnd({ error: { code: "tired" } })],
  ])("is none when its stream %s", async (_, last) => {
    const { outcome } = await clientOf(() => answered("application/connect+proto", bodyOf([last]))).listen();
    expect(outcome).toEqual(wiceError("protocol", /garbage|unknown status/));
  });

  test("is none when it answers garbage", async () => {
    const { publish } = clientOf(() => answered("application/proto", Uint8Array.of(0xff)));
    expect(await rejectionOf(publish())).toEqual(wiceError("protocol", /garbage/));
  });

  test("is not read on when its stream has ended", async () => {
    let cancelled = false;
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(connectEnd({})),
      cancel() {
        cancelled = true;
      },
    });
    expect((await clientOf(() => answered("application/connect+proto", body)).listen()).outcome).toBe("ended");
    await expect.poll(() => cancelled).toBe(true);
  });

  test.each([
    [413, "too-large"],
    [503, "unavailable"],
  ])("may be answered for by a proxy, with its own status %i", async (status, code) => {
    const { publish } = clientOf(() => answered("application/proto", null, status));
    expect(await rejectionOf(publish())).toMatchObject({ code });
    const { outcome } = await clientOf(() => answered("application/connect+proto", null, status)).listen();
    expect(outcome).toMatchObject({ code });
  });

  test("refuses a stream in JSON, where it does not get as far as the stream", async () => {
    const refused = (): Response => answered("application/json", '{"code":"unimplemented","message":"no"}', 501);
    expect((await clientOf(refused).listen()).outcome).toEqual(wiceError("unsupported", /Unimplemented: no/));
  });
});
