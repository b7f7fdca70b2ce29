import { isWiceError } from "@wice/core";
import { describe, expect, test } from "vitest";
import { parseGrpcUrl } from "../../src/grpc/endpoint.ts";
import { createGrpcTransport } from "../../src/grpc/transport.ts";

const parse = (url: string) => parseGrpcUrl(new URL(url));

describe("the URL of a server", () => {
  test.each([
    ["grpc://example.org:8080", { host: "example.org", port: 8080, tls: true, skipVerify: false }],
    ["grpc://example.org", { port: 443, tls: true }],
    ["grpc://example.org?insecure=true", { port: 80, tls: false, authority: "example.org:80" }],
    ["grpc://example.org:8080/?insecure=1&skip_verify=true", { tls: false, skipVerify: true }],
    ["grpc://example.org?insecure=false&skip_verify=T", { tls: true, skipVerify: true }],
    ["grpcs://example.org", { port: 443, tls: true }],
    ["grpcs://example.org:1?skip_verify=true", { port: 1, skipVerify: true }],
    ["http://example.org", { port: 80, tls: false }],
    ["https://example.org", { port: 443, tls: true }],
    ["http://[::1]:8080", { host: "::1", port: 8080, authority: "[::1]:8080" }],
    ["grpc://[2001:db8::1]?insecure=true", { host: "2001:db8::1", port: 80, authority: "[2001:db8::1]:80" }],
    ["grpc://127.0.0.1:50051?insecure=true", { host: "127.0.0.1", port: 50051 }],
  ])("%s", (url, expected) => {
    expect(parse(url)).toMatchObject(expected);
  });

  test.each([
    ["grpc://example.org?insecur=true", /unknown parameter "insecur"; known are insecure, skip_verify/],
    ["http://example.org?skip_verify=true", /takes none/],
    ["grpcs://example.org?insecure=true", /write grpc:\/\/host:port\?insecure=true/],
    ["grpc://example.org?insecure=yes", /insecure must be true or false/],
    ["grpc://example.org?insecure=true&insecure=false", /given 2 times/],
    ["grpc:example.org:80", /names no host/],
    ["grpc://user:secret@example.org", /user or a password/],
    ["grpc://example.org/signal", /path/],
    ["grpc://example.org#x", /fragment/],
    ["grpc://example.org:0", /port 0/],
    ["ftp://example.org", /not one of grpc, grpcs, http, https/],
  ])("%s is refused", (url, text) => {
    try {
      parse(url);
      expect.unreachable();
    } catch (error) {
      expect(isWiceError(error, "invalid-url")).toBe(true);
      expect(String(error)).toMatch(text);
      expect(String(error)).not.toContain("secret");
    }
  });

  test("text that is no URL is refused the same way", () => {
    expect(() => createGrpcTransport({ url: "example.org:8080x y" })).toThrow(
      expect.objectContaining({ code: "invalid-url" }),
    );
  });

  test("options out of range are refused", () => {
    for (const pingIntervalMs of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
      expect(() => createGrpcTransport({ url: "http://localhost", pingIntervalMs })).toThrow(/pingIntervalMs/);
    }
    expect(() => createGrpcTransport({ url: "http://localhost", heartbeatMs: 0 })).not.toThrow();
  });
});
