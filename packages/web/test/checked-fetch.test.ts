import { describe, expect, test } from "vitest";
import { checkedFetch } from "../src/connect/checked-fetch.ts";
import { resolveSettings } from "../src/connect/options.ts";
import { rejectionOf, wiceError } from "./support/errors.ts";
import { stubGlobal } from "./support/globals.ts";

interface Answer {
  readonly type?: string;
  readonly status?: number;
  readonly body?: BodyInit | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a call comes to whose answer is that. */
function ask(answer: Answer | (() => Promise<Response>), options: Parameters<typeof call>[1] = {}): Promise<Response> {
  const { type, status = 200, body = null, headers = {} } = typeof answer === "function" ? {} : answer;
  return call(
    typeof answer === "function"
      ? answer
      : () =>
          Promise.resolve(
            new Response(body, {
              status,
              headers: { ...headers, ...(type !== undefined && { "content-type": type }) },
            }),
          ),
    options,
  );
}

function call(
  fetch: () => Promise<Response>,
  options: {
    readonly url?: string;
    readonly protocol?: "connect" | "grpc-web";
    readonly type?: string;
    readonly signal?: AbortSignal;
    readonly maxEnvelopeBytes?: number;
  },
): Promise<Response> {
  const { url = "https://relay.example", protocol = "connect", type = "application/proto", signal, ...rest } = options;
  const checked = checkedFetch(resolveSettings({ url, protocol, fetch, ...rest }));
  return checked(`${url}/service/Method`, {
    headers: { "content-type": type },
    ...(signal !== undefined && { signal }),
  });
}

const proto = "application/proto";

describe("an answer of a relay", () => {
  test.each([
    [proto, proto],
    [proto, "Application/Proto; charset=utf-8"],
    ["application/connect+proto", "application/connect+proto"],
    ["application/grpc-web+proto", "application/grpc-web"],
    ["application/grpc-web+proto", "application/grpc-web+proto"],
  ])("has the type of the question: %s, %s", async (type, answered) => {
    const protocol = type.includes("grpc") ? "grpc-web" : "connect";
    const response = await ask({ type: answered }, { type, protocol });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(answered);
  });

  test("comes through as it is", async () => {
    const response = await ask({ type: proto, body: Uint8Array.of(1, 2, 3), headers: { "x-some": "thing" } });
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(Uint8Array.of(1, 2, 3));
    expect(response.headers.get("x-some")).toBe("thing");
  });

  test("is not collected beyond what a message may have", async () => {
    const response = await ask({ type: proto, body: new Uint8Array(20_000) }, { maxEnvelopeBytes: 1_000 });
    expect(await rejectionOf(response.arrayBuffer())).toEqual(wiceError("protocol", /more than 17384 bytes/));
  });

  test("that refuses says so in JSON, in Connect", async () => {
    const body = '{"code":"permission_denied","message":"no"}';
    const response = await ask({ type: "application/json", status: 403, body });
    expect(response.status).toBe(403);
    expect(await response.json()).toEqual({ code: "permission_denied", message: "no" });
  });

  test("that refuses is not collected without end either", async () => {
    const body = `{"code":"${"a".repeat(100_000)}"}`;
    const refused = ask({ type: "application/json", status: 403, body }, { maxEnvelopeBytes: 1_000 });
    expect(await rejectionOf(refused)).toEqual(wiceError("protocol", /more than/));
  });
});

describe("an answer of something else", () => {
  test.each<[string, Answer, string, RegExp]>([
    ["a login page", { type: "text/html", body: "<html>" }, "protocol", /did not answer in Connect.*login page/],
    ["no type at all", { body: null }, "protocol", /did not answer in Connect/],
    ["JSON that says that it went well", { type: "application/json", body: "{}" }, "protocol", /did not answer/],
    ["a page that is not there", { type: "text/html", status: 404 }, "unsupported", /HTTP 404/],
    ["a proxy whose relay is away", { type: "text/html", status: 502 }, "unavailable", /HTTP 502/],
    [
      "errors in JSON of others",
      { type: "application/json", status: 500, body: '{"code":7}' },
      "unavailable",
      /HTTP 500/,
    ],
    ["JSON that is none", { type: "application/json", status: 403, body: "{" }, "permission-denied", /HTTP 403/],
  ])("is told from a relay's: %s", async (_, answer, code, text) => {
    expect(await rejectionOf(ask(answer))).toEqual(wiceError(code as never, text));
  });

  test("is called gRPC-Web where that is spoken, whatever JSON says", async () => {
    const options = { protocol: "grpc-web", type: "application/grpc-web+proto" } as const;
    expect(await rejectionOf(ask({ type: "text/html" }, options))).toEqual(wiceError("protocol", /in gRPC-Web/));
    const json = { type: "application/json", status: 403, body: '{"code":"permission_denied"}' };
    expect(await rejectionOf(ask(json, options))).toEqual(wiceError("permission-denied", /HTTP 403/));
  });

  test("says when to come back", async () => {
    const answer = { type: "text/html", status: 429, headers: { "retry-after": "7" } };
    const error = await rejectionOf(ask(answer));
    expect(error).toMatchObject({ code: "resource-exhausted", retryable: true, retryAfterMs: 7_000 });
  });

  test("is not read to its end", async () => {
    let cancelled = false;
    const body = new ReadableStream({
      cancel() {
        cancelled = true;
      },
    });
    await rejectionOf(ask({ type: "text/html", body }));
    expect(cancelled).toBe(true);
  });
});

describe("no answer at all", () => {
  const cause = new TypeError("Failed to fetch");
  const fails = (): Promise<Response> => Promise.reject(cause);

  test("may be for several reasons, which are named", async () => {
    const error = await rejectionOf(ask(fails));
    expect(error).toEqual(
      wiceError("unavailable", /relay\.example cannot be reached: nothing listens there, its cert/),
    );
    expect(error).toMatchObject({ retryable: true, cause });
    expect(String(await rejectionOf(ask(fails, { url: "http://relay.example" })))).not.toMatch(/certificate/);
  });

  test("is no wonder where the device is offline", async () => {
    stubGlobal("navigator", { onLine: false });
    const error = await rejectionOf(ask(fails));
    expect(error).toEqual(wiceError("unavailable", /this device is offline/));
    expect(error).toMatchObject({ retryable: true });
  });

  test("is for ever where a page of https calls plain HTTP", async () => {
    stubGlobal("location", { protocol: "https:" });
    const error = await rejectionOf(ask(fails, { url: "http://relay.example" }));
    expect(error).toEqual(wiceError("unavailable", /may not call http:\/\/relay\.example/));
    expect(error).toMatchObject({ retryable: false });
  });

  test.each(["localhost:8080", "wice.localhost", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080"])(
    "is not for ever on this machine: http://%s",
    async (host) => {
      stubGlobal("location", { protocol: "https:" });
      expect(await rejectionOf(ask(fails, { url: `http://${host}` }))).toMatchObject({ retryable: true });
    },
  );

  test("because of an abort is that abort", async () => {
    const reason = new Error("enough");
    expect(await rejectionOf(ask(fails, { signal: AbortSignal.abort(reason) }))).toBe(reason);
  });
});
