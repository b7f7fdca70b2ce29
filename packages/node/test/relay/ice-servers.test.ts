import { isWiceError } from "@wice/core";
import { describe, expect, test } from "vitest";
import { type IceServer, parseIceServer, turnRestCredentials } from "../../src/relay/index.ts";

describe("parseIceServer", () => {
  test.each<[string, IceServer]>([
    ["stun:stun.example.org", { url: "stun:stun.example.org" }],
    ["stun:stun.example.org:3478", { url: "stun:stun.example.org:3478" }],
    ["stuns:192.0.2.1:5349", { url: "stuns:192.0.2.1:5349" }],
    ["stun:[2001:db8::1]:3478", { url: "stun:[2001:db8::1]:3478" }],
    [" STUN:stun.example.org ", { url: "stun:stun.example.org" }],
    [
      "turn:user:pass@turn.example.org:3478?transport=udp",
      { url: "turn:turn.example.org:3478?transport=udp", username: "user", password: "pass" },
    ],
    [
      "turns:us%40er:p%3Aa%2Fs%3Fs%25:x@[::1]?transport=tcp",
      { url: "turns:[::1]?transport=tcp", username: "us@er", password: "p:a/s?s%:x" },
    ],
    ["turn:turn.example.org?secret=abc", { url: "turn:turn.example.org", secret: "abc", ttlSeconds: 3_600 }],
    [
      "turn:turn.example.org:3478?transport=tcp&secret=a+b%2F%3D%26&ttl=1h30m",
      { url: "turn:turn.example.org:3478?transport=tcp", secret: "a+b/=&", ttlSeconds: 5_400 },
    ],
    ["turn:turn.example.org?ttl=90&secret=abc", { url: "turn:turn.example.org", secret: "abc", ttlSeconds: 90 }],
    ["turn:turn.example.org?ttl=45s&secret=a=b", { url: "turn:turn.example.org", secret: "a=b", ttlSeconds: 45 }],
    [
      "turn:team@turn.example.org?secret=abc",
      { url: "turn:turn.example.org", username: "team", secret: "abc", ttlSeconds: 3_600 },
    ],
  ])("reads %s", (text, server) => {
    expect(parseIceServer(text)).toEqual(server);
  });

  test.each([
    "",
    "stun:",
    "turn.example.org",
    "http://turn.example.org",
    "turn://turn.example.org?secret=abc",
    "turn:turn.example.org",
    "turn:user@turn.example.org",
    "turn::pass@turn.example.org",
    "turn:user:@turn.example.org",
    "turn:user:pass@turn.example.org?secret=abc",
    "turn:user:pass@turn.example.org?ttl=1h",
    "turn:user:pass@turn.example.org?transport=sctp",
    "turn:user:pass@turn.example.org?transport=udp&transport=tcp",
    "turn:user:pass@turn.example.org?realm=x",
    "turn:us%er:pass@turn.example.org",
    "turn:turn.example.org?secret=",
    "turn:turn.example.org?secret=abc&ttl=0",
    "turn:turn.example.org?secret=abc&ttl=soon",
    "turn:turn.example.org?secret=abc&ttl=",
    "turn:turn.example.org?secret=abc&ttl=9000h",
    "turn:turn.example.org?secret=abc#fragment",
    "turn:turn.example.org/path?secret=abc",
    "stun:user:pass@stun.example.org",
    "stun:stun.example.org?transport=udp",
    "stun:stun.example.org:0",
    "stun:stun.example.org:65536",
    "stun:stun.example.org:port",
    "stun:2001:db8::1",
    "stun:[2001:db8::1",
    "stun:[stun.example.org]",
    "stun:stun..example org",
    "stun:-example.org",
  ])("refuses %j, and repeats nothing of it", (text) => {
    const error = thrown(() => parseIceServer(text));
    expect(isWiceError(error, "invalid-url")).toBe(true);
    for (const secret of ["abc", "pass@", "user:pass", "us%er"]) expect((error as Error).message).not.toContain(secret);
  });
});

test("turnRestCredentials are those of the TURN REST API", () => {
  // By: printf %s "$USERNAME" | openssl dgst -sha1 -hmac "$SECRET" -binary | base64
  expect(turnRestCredentials("north", "YU6BcM9nME+e2rYQuu0KYQ0OZgC3U0EfbSfotMkssiQ=", 1_800_000_000)).toEqual({
    username: "1800000000:YU6BcM9nME+e2rYQuu0KYQ0OZgC3U0EfbSfotMkssiQ=",
    password: "ziVt384qBaUOi8eXYW9gYF+d1PY=",
  });
});

function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
