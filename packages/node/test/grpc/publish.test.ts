import { decodeEnvelope, isWiceError, type WiceErrorCode } from "@wice/core";
import { describe, expect, test } from "vitest";
import type { GrpcClientOptions } from "../../src/grpc/options.ts";
import { createGrpcTransport, type GrpcTransport } from "../../src/grpc/transport.ts";
import {
  answer,
  begin,
  emptyMessage,
  envelope,
  finish,
  framed,
  grpcHeaders,
  numberOf,
  refuse,
  rejection,
  type Script,
  scriptedServer,
} from "./scripted-server.ts";

async function against(
  script: Script,
  body: (transport: GrpcTransport) => Promise<void>,
  options: GrpcClientOptions = {},
): Promise<void> {
  await using server = await scriptedServer(script);
  const transport = createGrpcTransport({ ...options, url: server.url });
  try {
    await body(transport);
  } finally {
    await transport.close();
  }
}

/** `PublishResult { subscribers: 3 }`. */
const three = Uint8Array.of(0xc0, 0x3e, 3);

describe("publish", () => {
  test("hands the envelope to the server unaltered, and the count of subscribers back", () =>
    against(
      ({ stream, message }) => answer(stream, numberOf(decodeEnvelope(message)) === 42 ? three : new Uint8Array()),
      async (transport) => {
        expect(await transport.publish(envelope(42))).toEqual({ subscribers: 3 });
      },
    ));

  test("of a server that does not count resolves without a count", () =>
    against(
      ({ stream }) => answer(stream),
      async (transport) => expect(await transport.publish(envelope(1))).toEqual({}),
    ));

  test("takes an answer that is cut anywhere, and trailers that are late", () =>
    against(
      ({ stream }) => {
        begin(stream);
        const bytes = framed(three);
        let sent = 0;
        const next = (): void => {
          if (sent < bytes.length) {
            stream.write(bytes.subarray(sent, sent + 1));
            sent += 1;
            setTimeout(next, 2);
          } else setTimeout(() => finish(stream, { "grpc-status": "0" }), 30);
        };
        next();
      },
      async (transport) => expect(await transport.publish(envelope(1))).toEqual({ subscribers: 3 }),
    ));

  test.each<[number, WiceErrorCode, boolean]>([
    [1, "unavailable", true],
    [2, "unavailable", true],
    [3, "invalid-envelope", false],
    [4, "unavailable", true],
    [5, "protocol", false],
    [7, "permission-denied", false],
    [8, "resource-exhausted", true],
    [12, "unsupported", false],
    [13, "unavailable", true],
    [14, "unavailable", true],
    [16, "unauthenticated", false],
    [17, "protocol", false],
    [99, "protocol", false],
  ])(
    "gRPC status %i rejects with %s, retryable: %s; with headers alone and with trailers",
    async (status, code, retryable) => {
      for (const withTrailers of [false, true]) {
        await against(
          ({ stream }) => {
            if (!withTrailers) return refuse(stream, status);
            begin(stream);
            finish(stream, { "grpc-status": String(status) });
          },
          async (transport) =>
            expect(await rejection(transport.publish(envelope(1)))).toMatchObject({ code, retryable }),
        );
      }
    },
  );

  test("passes on the server's words, in one harmless line, and its wish for a pause", () =>
    against(
      ({ stream }) =>
        refuse(stream, 8, {
          "grpc-message": `quota%0a%1b[31m of ${"x".repeat(1000)}`,
          "grpc-retry-pushback-ms": "1500",
        }),
      async (transport) => {
        const error = await rejection(transport.publish(envelope(1)));
        expect(error).toMatchObject({ code: "resource-exhausted", retryable: true, retryAfterMs: 1500 });
        expect(String(error)).toMatch(/quota \[31m of xxx/);
        expect(String(error).length).toBeLessThan(300);
      },
    ));

  test("a negative pushback means: not again", () =>
    against(
      ({ stream }) => refuse(stream, 14, { "grpc-retry-pushback-ms": "-1" }),
      async (transport) => {
        expect(await rejection(transport.publish(envelope(1)))).toMatchObject({
          retryable: false,
          retryAfterMs: undefined,
        });
      },
    ));

  test.each<[number, string, WiceErrorCode, boolean]>([
    [404, "text/html", "unsupported", false],
    [415, "text/html", "unsupported", false],
    [502, "text/html", "unavailable", true],
    [503, "text/html", "unavailable", true],
    [429, "text/html", "resource-exhausted", true],
    [401, "text/html", "unauthenticated", false],
    [301, "text/html", "protocol", false],
    [200, "text/html", "protocol", false],
    [200, "application/grpc-web", "protocol", false],
    [200, "application/grpc+json", "protocol", false],
  ])("HTTP %i with %s rejects with %s, retryable: %s", (status, type, code, retryable) =>
    against(
      ({ stream }) => {
        stream.respond({ ":status": status, "content-type": type, "retry-after": "7" });
        stream.end("<html><body>no</body></html>");
      },
      async (transport) => {
        const error = await rejection(transport.publish(envelope(1)));
        expect(error).toMatchObject({ code, retryable, retryAfterMs: retryable ? 7000 : undefined });
      },
    ),
  );

  test.each<[string, Script, WiceErrorCode]>([
    [
      "two results",
      ({ stream }) => {
        begin(stream);
        stream.write(Buffer.concat([emptyMessage, emptyMessage]));
        finish(stream, { "grpc-status": "0" });
      },
      "protocol",
    ],
    [
      "no result",
      ({ stream }) => {
        begin(stream);
        finish(stream, { "grpc-status": "0" });
      },
      "protocol",
    ],
    ["OK in headers alone", ({ stream }) => refuse(stream, 0), "protocol"],
    [
      "half a result",
      ({ stream }) => {
        begin(stream);
        stream.write(framed(three).subarray(0, 7));
        finish(stream, { "grpc-status": "0" });
      },
      "protocol",
    ],
    ["garbage in the frame", ({ stream }) => answer(stream, Buffer.from("ffffff", "hex")), "protocol"],
    [
      "garbage for a frame",
      ({ stream }) => {
        begin(stream);
        stream.write("hello, world");
        finish(stream, { "grpc-status": "0" });
      },
      "protocol",
    ],
    [
      "a compressed result",
      ({ stream }) => {
        begin(stream);
        stream.write(framed(three, 1));
        finish(stream, { "grpc-status": "0" });
      },
      "protocol",
    ],
    [
      "a huge result",
      ({ stream }) => {
        begin(stream);
        stream.write(framed(Buffer.alloc(1_000_000)));
      },
      "protocol",
    ],
    [
      "no trailers",
      ({ stream }) => {
        stream.respond(grpcHeaders);
        stream.end(emptyMessage);
      },
      "unavailable",
    ],
    ["a reset: refused", ({ stream }) => stream.close(7), "unavailable"],
    ["a reset: cancelled", ({ stream }) => stream.close(8), "unavailable"],
    ["a reset: internal error", ({ stream }) => stream.close(2), "unavailable"],
    ["a reset: enhance your calm", ({ stream }) => stream.close(11), "resource-exhausted"],
    ["a cut connection", ({ stream }) => stream.session?.destroy(), "unavailable"],
  ])("answered with %s rejects, and the next publish is not harmed", async (_name, script, code) => {
    let first = true;
    await against(
      (request) => {
        if (first) void script(request);
        else answer(request.stream);
        first = false;
      },
      async (transport) => {
        const error = await rejection(transport.publish(envelope(1)));
        expect(error).toMatchObject({ code, retryable: code !== "protocol" });
        expect(await transport.publish(envelope(2))).toEqual({});
      },
    );
  });

  test("of an envelope over the limit is refused before it is sent", async () => {
    await using server = await scriptedServer(({ stream }) => answer(stream));
    const transport = createGrpcTransport({ url: server.url, maxEnvelopeBytes: 1000 });
    expect(await rejection(transport.publish(envelope(1, 1000)))).toMatchObject({
      code: "too-large",
      retryable: false,
    });
    await transport.publish(envelope(1, 800));
    expect(server.requests.length).toBe(1);
    await transport.close();
  });

  test("without an answer rejects at its deadline, tells the server the deadline, and cancels the call", async () => {
    let cancelled = false;
    await using server = await scriptedServer(({ stream }) => {
      stream.once("aborted", () => {
        cancelled = stream.rstCode === 8;
      });
    });
    const transport = createGrpcTransport({ url: server.url, publishTimeoutMs: 150 });
    const error = await rejection(transport.publish(envelope(1)));
    expect(error).toMatchObject({ code: "unavailable", retryable: true });
    expect(String(error)).toMatch(/did not answer within 150 ms/);
    expect(server.requests[0]?.headers["grpc-timeout"]).toBe("150m");
    await expect.poll(() => cancelled).toBe(true);
    await transport.close();
  });

  test("hundreds may wait for their answers at a time", async () => {
    const held: (() => void)[] = [];
    await against(
      ({ stream }) => {
        held.push(() => answer(stream, three));
        if (held.length === 500) for (const release of held) release();
      },
      async (transport) => {
        const receipts = await Promise.all(Array.from({ length: 500 }, (_, i) => transport.publish(envelope(i))));
        expect(receipts.every(({ subscribers }) => subscribers === 3)).toBe(true);
      },
    );
  });

  test("thousands leave nothing behind", async () => {
    await using server = await scriptedServer(({ stream }) => answer(stream));
    const transport = createGrpcTransport({ url: server.url });
    const burst = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 100)
        await Promise.all(Array.from({ length: 100 }, () => transport.publish(envelope(i))));
    };
    await burst(1000);
    const before = process.getActiveResourcesInfo();
    const start = performance.now();
    await burst(4000);
    expect(performance.now() - start).toBeLessThan(8000);
    expect(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length).toBeLessThanOrEqual(
      before.filter((name) => name === "Timeout").length + 5,
    );
    expect(server.sessions.length).toBe(1);
    await transport.close();
    expect(isWiceError(await rejection(transport.publish(envelope(1))), "closed")).toBe(true);
  });
});
