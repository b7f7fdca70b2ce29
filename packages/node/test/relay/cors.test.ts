import { isWiceError } from "@wice/core";
import { describe, expect, test } from "vitest";
import { createRelay } from "../../src/relay/index.ts";
import { publishPath, subscribePath } from "./raw-client.ts";
import { startRelay } from "./relay.ts";
import { outcomeOf, type WebCall, webCall } from "./web-call.ts";
import { envelope, framed, someKey, subscribeParams } from "./wire.ts";

const page = "https://page.example";
const versions = ["1.1", "2"] as const;
const listed = (value: unknown): string[] => String(value).toLowerCase().split(", ");

const preflight = (httpVersion: "1.1" | "2", origin: string, more: Record<string, string> = {}): WebCall => ({
  httpVersion,
  path: publishPath,
  method: "OPTIONS",
  headers: {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,connect-protocol-version",
    ...more,
  },
  body: [],
});

describe.each(versions)("over HTTP/%s, a page", (httpVersion) => {
  test("of any origin may call, and need not ask again for hours", async () => {
    const relay = await startRelay();
    const { http, headers } = await webCall(relay.url, preflight(httpVersion, page));
    expect(http).toBe(204);
    expect(headers).toMatchObject({ "access-control-allow-origin": "*", "access-control-max-age": "7200" });
    expect(listed(headers["access-control-allow-methods"])).toContain("post");
    expect(listed(headers["access-control-allow-headers"])).toEqual(
      expect.arrayContaining([
        ...["content-type", "connect-protocol-version", "connect-timeout-ms"],
        ...["grpc-timeout", "x-grpc-web", "x-user-agent"],
      ]),
    );
    expect(headers["access-control-allow-credentials"]).toBeUndefined();
    expect(headers["access-control-allow-private-network"]).toBeUndefined();
    expect(relay.counters()).toMatchObject({ published: 0, refused: { "invalid-argument": 0 } });
  });

  test("of the Internet may call a relay in the local network", async () => {
    const relay = await startRelay();
    const call = preflight(httpVersion, page, { "access-control-request-private-network": "true" });
    const { headers } = await webCall(relay.url, call);
    expect(headers["access-control-allow-private-network"]).toBe("true");
    expect(listed(headers.vary)).toContain("access-control-request-private-network");
  });

  const calls = [
    { name: "a publication", path: publishPath, type: "application/proto", body: envelope() },
    {
      name: "a publication in gRPC-Web",
      path: publishPath,
      type: "application/grpc-web+proto",
      body: framed(envelope()),
    },
    { name: "a publication in JSON", path: publishPath, type: "application/json", body: Buffer.from("{}") },
    { name: "a refusal in Connect", path: publishPath, type: "application/proto", body: Buffer.from("x") },
    { name: "a refusal in gRPC-Web", path: publishPath, type: "application/grpc-web", body: framed(Buffer.from("x")) },
    {
      name: "a stream",
      path: subscribePath,
      type: "application/connect+proto",
      body: framed(subscribeParams({ key: someKey() })),
    },
    {
      name: "a stream in JSON",
      path: subscribePath,
      type: "application/connect+json",
      body: framed(Buffer.from(JSON.stringify({ key: someKey().toString("base64") }))),
    },
    { name: "a wrong content type", path: publishPath, type: "text/plain", body: Buffer.from("x") },
    { name: "an unknown method", path: "/no.Service/Method", type: "application/proto", body: Buffer.from("x") },
    { name: "the health", path: "/healthz", type: "text/plain", body: Buffer.alloc(0) },
  ];
  test.each(calls)("can read the answer to $name, its status and its hints", async ({ path, type, body }) => {
    const relay = await startRelay();
    const call = { httpVersion, path, headers: { origin: page, "content-type": type }, body: [body], cutAfterBytes: 5 };
    const { http, headers } = await webCall(relay.url, call);
    expect(http).toBeGreaterThan(0);
    expect(headers["access-control-allow-origin"]).toBe("*");
    expect(listed(headers["access-control-expose-headers"])).toEqual(
      expect.arrayContaining(["grpc-status", "grpc-message", "grpc-retry-pushback-ms"]),
    );
  });

  test("is told when to come again, in the words of its protocol", async () => {
    const limits = { publishesPerAddress: { perSecond: 0.001, burst: 1 } };
    for (const [type, body] of [
      ["application/proto", envelope()],
      ["application/grpc-web", framed(envelope())],
      ["application/Proto", envelope()],
      ["application/grpc-Web", framed(envelope())],
    ] as const) {
      const relay = await startRelay({ limits });
      const call = { httpVersion, path: publishPath, headers: { origin: page, "content-type": type }, body: [body] };
      expect(outcomeOf(type, await webCall(relay.url, call)).code).toBe("ok");
      const refused = outcomeOf(type, await webCall(relay.url, call));
      expect(refused.code).toBe("resource_exhausted");
      expect(Number(refused.retryAfterMs)).toBeGreaterThan(1_000);
    }
  });

  test("of an origin that is not among those allowed is not", async () => {
    const relay = await startRelay({ origins: [page, "http://localhost:5173"] });
    for (const origin of [page, "http://localhost:5173"]) {
      const { http, headers } = await webCall(relay.url, preflight(httpVersion, origin));
      expect(http).toBe(204);
      expect(headers["access-control-allow-origin"]).toBe(origin);
      expect(listed(headers.vary)).toContain("origin");
    }
    for (const origin of ["https://other.example", "null", "http://page.example", "https://page.example:444"]) {
      const asked = await webCall(relay.url, preflight(httpVersion, origin));
      expect(Object.keys(asked.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
      expect(asked.headers.vary).toBe("origin");
      const headers = { origin, "content-type": "application/proto" };
      const sent = await webCall(relay.url, { httpVersion, path: publishPath, headers, body: [envelope()] });
      expect(Object.keys(sent.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
      expect(sent.headers.vary).toBe("origin");
    }
  });

  test("cannot make a call that browsers send without asking first", async () => {
    const relay = await startRelay();
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      const headers = { origin: page, "content-type": type };
      const { http } = await webCall(relay.url, { httpVersion, path: publishPath, headers, body: [envelope()] });
      expect(http).toBe(415);
    }
    const get = { httpVersion, path: `${publishPath}?connect=v1&encoding=json&message=%7B%7D`, method: "GET" };
    expect((await webCall(relay.url, { ...get, headers: { origin: page }, body: [] })).http).toBe(405);
    expect(relay.counters().published).toBe(0);
  });

  test("is not mistaken for others, whose answers say nothing of origins", async () => {
    const relay = await startRelay();
    const headers = { "content-type": "application/proto" };
    const { headers: received } = await webCall(relay.url, {
      httpVersion,
      path: publishPath,
      headers,
      body: [envelope()],
    });
    expect(Object.keys(received).filter((name) => name.startsWith("access-control") || name === "vary")).toEqual([]);
    const options = await webCall(relay.url, { httpVersion, path: publishPath, method: "OPTIONS", headers, body: [] });
    expect(options.http).toBe(405);
  });
});

test.each([
  "*",
  "https://page.example/",
  "page.example",
  "https://page.example/path",
  "HTTPS://page.example",
  "null",
  "",
])("%j is not an origin, and no relay starts with it", async (origin) => {
  const error = await createRelay({ origins: [origin] }).catch((reason: unknown) => reason);
  expect(isWiceError(error, "invalid-argument")).toBe(true);
});

test.each(["https://page.example", "http://[::1]:8080", "chrome-extension://abcdefghijklmnop", "tauri://localhost"])(
  "%s is an origin",
  async (origin) => {
    const relay = await startRelay({ origins: [origin] });
    const { headers } = await webCall(relay.url, preflight("1.1", origin));
    expect(headers["access-control-allow-origin"]).toBe(origin);
  },
);
