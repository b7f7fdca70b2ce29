import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { type ConnectClientOptions, resolveSettings } from "../src/connect/options.ts";
import { rejectionOf, wiceError } from "./support/errors.ts";

describe("the URL of a relay", () => {
  test.each([
    ["https://relay.example.org", "https://relay.example.org", "relay.example.org", true],
    ["https://relay.example.org/", "https://relay.example.org", "relay.example.org", true],
    ["HTTPS://Relay.Example.org:443//", "https://relay.example.org", "relay.example.org", true],
    ["http://localhost:8080/wice/", "http://localhost:8080/wice", "localhost:8080", false],
    ["http://[::1]:8080", "http://[::1]:8080", "[::1]:8080", false],
    ["https://relay.example.org/?", "https://relay.example.org", "relay.example.org", true],
    ["https://relay.example.org/wice/#", "https://relay.example.org/wice", "relay.example.org", true],
    [new URL("http://127.0.0.1:8080"), "http://127.0.0.1:8080", "127.0.0.1:8080", false],
  ])("%s has the base %s", (url, baseUrl, where, secure) => {
    expect(resolveSettings({ url })).toMatchObject({ baseUrl, where, secure });
  });

  test.each([
    ["", /not a URL/],
    ["relay.example.org", /not a URL/],
    ["localhost:8080", /https: or http:/],
    ["ws://relay.example.org", /https: or http:/],
    ["grpc://relay.example.org", /https: or http:/],
    ["https://", /not a URL/],
    ["https://relay.example.org?insecure=true", /parameters and fragments/],
    ["https://relay.example.org/#here", /parameters and fragments/],
    ["https://user@relay.example.org", /a user or a password/],
  ])("is not %j", (url, text) => {
    expect(() => resolveSettings({ url })).toThrow(wiceError("invalid-url", text));
  });

  test.each(["https://user:hunter2@relay.example.org", "https://user:hunter2@relay example.org"])(
    "%s is refused without a word of its password",
    async (url) => {
      const error = await rejectionOf((async () => resolveSettings({ url }))());
      expect(error).toEqual(wiceError("invalid-url"));
      expect(inspect(error, { depth: 9 })).not.toContain("hunter2");
    },
  );
});

describe("an option", () => {
  const resolve = (options: ConnectClientOptions) => resolveSettings({ ...options, url: "https://relay.example.org" });

  test("that is left out has its default", () => {
    const defaults = {
      protocol: "connect",
      heartbeatMs: 15_000,
      publishTimeoutMs: 10_000,
      subscribeTimeoutMs: 30_000,
      maxEnvelopeBytes: 65_536,
      shareStream: undefined,
    };
    expect(resolve({})).toMatchObject(defaults);
    expect(resolve({ heartbeatMs: undefined, protocol: undefined })).toMatchObject(defaults);
  });

  test("that turns heartbeats off is taken", () => {
    expect(resolve({ heartbeatMs: 0 }).heartbeatMs).toBe(0);
  });

  test.each([
    { heartbeatMs: -1 },
    // Relays send at most ten a second: such a stream would be given up at once.
    { heartbeatMs: 99 },
    { heartbeatMs: 2 ** 31 },
    { publishTimeoutMs: 0 },
    { publishTimeoutMs: Number.POSITIVE_INFINITY },
    { subscribeTimeoutMs: Number.NaN },
    { subscribeTimeoutMs: 0.5 },
    { maxEnvelopeBytes: 0 },
    { maxEnvelopeBytes: "65536" as unknown as number },
  ])("is not %j", (options) => {
    expect(() => resolve(options)).toThrow(wiceError("invalid-argument", new RegExp(Object.keys(options)[0] ?? "")));
  });

  test.each(["grpc", "CONNECT", ""])("protocol is not %j", (protocol) => {
    expect(() => resolve({ protocol: protocol as "connect" })).toThrow(wiceError("invalid-argument", /grpc-web/));
  });
});
