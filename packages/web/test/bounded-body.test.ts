import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boundedBody } from "../src/connect/bounded-body.ts";
import { rejectionOf, wiceError } from "./support/errors.ts";

/** What a message may have beside the envelope. */
const overhead = 16_384;

function responseOf(chunks: readonly Uint8Array<ArrayBuffer>[]): Response {
  const waiting = [...chunks];
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const next = waiting.shift();
      if (next === undefined) controller.close();
      else controller.enqueue(next);
    },
  });
  return new Response(body, { status: 200, headers: { "content-type": "application/connect+proto", "x-kept": "yes" } });
}

const read = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer());

function frame(length: number, flags = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(5 + length).fill(7);
  bytes[0] = flags;
  new DataView(bytes.buffer).setUint32(1, length);
  return bytes;
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Cuts bytes into chunks of the given lengths, over and over. */
function cut(bytes: Uint8Array<ArrayBuffer>, lengths: readonly number[]): Uint8Array<ArrayBuffer>[] {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] as number;
    chunks.push(bytes.slice(at, at + length));
    at += length;
  }
  return chunks;
}

describe("a body of messages", () => {
  test("passes whole, or fails at the first message that is too large, however it is cut", async () => {
    const most = 16;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.nat(50), fc.integer({ min: overhead, max: overhead + 2 * most })), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 5 }),
        async (sizes, lengths) => {
          const bytes = join(sizes.map((size) => frame(size)));
          const passed = read(boundedBody(responseOf(cut(bytes, lengths)), true, most, "relay"));
          if (sizes.every((size) => size <= overhead + most)) expect((await passed).join()).toBe(bytes.join());
          else expect(await rejectionOf(passed)).toEqual(wiceError("protocol", /more than 16400 bytes/));
        },
      ),
      { numRuns: 60 },
    );
  });

  test("passes in prefixes of single bytes", async () => {
    const bytes = join([frame(0), frame(3, 2), frame(0), frame(300)]);
    expect((await read(boundedBody(responseOf(cut(bytes, [1])), true, 1000, "relay"))).join()).toBe(bytes.join());
  });

  test("fails at the announcement, before what is announced comes", async () => {
    const announced = new Uint8Array([0, 0xff, 0xff, 0xff, 0xff]);
    const cancelled = Promise.withResolvers<void>();
    let asked = 0;
    const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        asked += 1;
        controller.enqueue(asked === 1 ? announced : new Uint8Array(1));
      },
      cancel: () => cancelled.resolve(),
    });
    const bounded = boundedBody(new Response(endless), true, 100, "relay");
    expect(await rejectionOf(read(bounded))).toEqual(wiceError("protocol", /^relay sent a message of more than/));
    await cancelled.promise;
    expect(asked).toBeLessThan(10);
  });

  test("may go on for ever with small messages", async () => {
    const chunks = Array.from({ length: 100 }, () => frame(1000));
    expect(await read(boundedBody(responseOf(chunks), true, 1000, "relay"))).toHaveLength(100 * 1005);
  });
});

describe("a body of one message", () => {
  test.each([
    [overhead + 10, true],
    [overhead + 11, false],
  ])("of %i bytes passes: %s", async (length, passes) => {
    const chunks = cut(new Uint8Array(length), [1000]);
    const result = read(boundedBody(responseOf(chunks), false, 10, "relay"));
    if (passes) expect(await result).toHaveLength(length);
    else expect(await rejectionOf(result)).toEqual(wiceError("protocol"));
  });
});

test("the rest of the answer stays as it was", () => {
  const response = responseOf([]);
  const bounded = boundedBody(response, true, 10, "relay");
  expect(bounded.status).toBe(200);
  expect(Object.fromEntries(bounded.headers)).toEqual(Object.fromEntries(response.headers));
});

test("an answer without a body stays one", () => {
  const response = new Response(null, { status: 204 });
  expect(boundedBody(response, true, 10, "relay")).toBe(response);
});

test("whoever cancels the bounded body cancels the request", async () => {
  const cancelled = Promise.withResolvers<void>();
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({ cancel: () => cancelled.resolve() });
  const bounded = boundedBody(new Response(endless), true, 10, "relay");
  await bounded.body?.cancel();
  await cancelled.promise;
});
