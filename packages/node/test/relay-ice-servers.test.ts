import { generatePrivateKey, relayIceServers } from "@wice/node";
import { createRelay, parseIceServer } from "@wice/node/relay";
import { describe, expect, test } from "vitest";
import { buildGo } from "../../../test/kit/go-build.ts";
import { type GoServer, startGoServer } from "../../../test/kit/go-peer.ts";
import { askBy } from "../../../test/kit/recorded-rtc.ts";

const { publicKey } = generatePrivateKey();
const gopeer = await buildGo();

const turn = { url: "turn:turn.example.org", username: "ursula", password: "secret" };
const asIceServer = { urls: turn.url, username: turn.username, credential: turn.password };
/** All so far: what a server prints before it answers may be read later. */
const linesOf = async (server: GoServer, event: string) => {
  await server.run("holdRelays", { on: false });
  return server.find(event);
};
const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1_000) + seconds;

describe.skipIf(gopeer === undefined)("relayIceServers, of a registry in Go", () => {
  const start = async (flags: readonly string[] = []) => {
    const server = await startGoServer(gopeer as string, flags);
    return Object.assign(server, { relay: `grpc://${server.address}?insecure=true` });
  };

  test("has its STUN and TURN servers, for our key, until they end", async () => {
    await using server = await start();
    const expires = inSeconds(3_600);
    await server.run("relays", { relays: [{ url: "stun:stun.example.org" }, { ...turn, expires }] });
    expect(await relayIceServers({ relay: server.relay, publicKey })({})).toEqual({
      servers: [{ urls: "stun:stun.example.org" }, asIceServer],
      expiresAtMs: 1_000 * expires,
    });
    expect((await linesOf(server, "getRelays")).map(({ key }) => key)).toEqual([`${publicKey}`]);
  });

  test("asks again before credentials end, and no sooner", async () => {
    await using server = await start();
    const asking = askBy(relayIceServers({ relay: server.relay, publicKey }));
    await server.run("relays", { relays: [{ ...turn, expires: inSeconds(30) }] });
    expect(await asking.next()).toEqual([{ ...asIceServer, urls: [turn.url] }]);
    await server.run("relays", { relays: [{ ...turn, password: "next", expires: inSeconds(3_600) }] });
    const renewed = [{ ...asIceServer, urls: [turn.url], credential: "next" }];
    expect(await asking.next()).toEqual(renewed);
    expect(await asking.next()).toEqual(renewed);
    expect(await linesOf(server, "getRelays")).toHaveLength(2);
  });

  test("trusts the certificate that it is told to", async () => {
    await using server = await start(["--tls"]);
    await server.run("relays", { relays: [{ url: "stun:stun.example.org" }] });
    const relay = `grpc://${server.address}`;
    await expect(relayIceServers({ relay, publicKey })({})).rejects.toMatchObject({ code: "unavailable" });
    const { servers } = await relayIceServers({ relay, publicKey, ca: server.certificate })({});
    expect(servers).toEqual([{ urls: "stun:stun.example.org" }]);
  });

  test.each([
    ["PERMISSION_DENIED", { code: "permission-denied", retryable: false }],
    ["UNAUTHENTICATED", { code: "unauthenticated", retryable: false }],
    ["RESOURCE_EXHAUSTED", { code: "resource-exhausted", retryable: true }],
    ["UNAVAILABLE", { code: "unavailable", retryable: true }],
  ])("rejects when it answers %s", async (code, error) => {
    await using server = await start();
    await server.run("refuseRelays", { code });
    await expect(relayIceServers({ relay: server.relay, publicKey })({})).rejects.toMatchObject(error);
  });

  test("knows no servers where there is no registry", async () => {
    await using server = await start();
    await server.run("refuseRelays", { code: "UNIMPLEMENTED" });
    expect(await relayIceServers({ relay: server.relay, publicKey })({})).toEqual({ servers: [] });
  });

  test("goes on with the servers it knew when the next answer is a refusal, and says so", async () => {
    await using server = await start();
    const asking = askBy(relayIceServers({ relay: server.relay, publicKey }));
    await server.run("relays", { relays: [{ ...turn, expires: inSeconds(30) }] });
    const known = await asking.next();
    await server.run("refuseRelays", { code: "PERMISSION_DENIED" });
    expect(await asking.next()).toEqual(known);
    expect(asking.errors).toMatchObject([
      { url: "iceServers", code: 701, text: expect.stringMatching(/PermissionDenied/) },
    ]);
  });

  test("rejects with the signal's reason, and ends the call", async () => {
    await using server = await start();
    await server.run("holdRelays", { on: true });
    const controller = new AbortController();
    const asked = relayIceServers({ relay: server.relay, publicKey })({ signal: controller.signal });
    await server.until("getRelays");
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(asked).rejects.toBe(reason);
    await server.until("getRelaysEnded");
    await server.until("connection", ({ state }) => state === "closed");
  });
});

test("relayIceServers asks a relay of ours", async () => {
  const iceServers = [parseIceServer("stun:stun.example.org"), parseIceServer("turn:turn.example.org?secret=abc")];
  await using relay = await createRelay({ iceServers });
  const { servers, expiresAtMs } = await relayIceServers({ relay: relay.url, publicKey })({});
  expect(servers).toMatchObject([
    { urls: "stun:stun.example.org" },
    { urls: "turn:turn.example.org", username: expect.stringContaining(`:${publicKey}`) },
  ]);
  expect(expiresAtMs).toBeGreaterThan(Date.now() + 3_500_000);
});

test("relayIceServers rejects where nothing listens", async () => {
  const asked = relayIceServers({ relay: "http://127.0.0.1:1", publicKey })({});
  await expect(asked).rejects.toMatchObject({
    code: "unavailable",
    retryable: true,
    message: expect.stringMatching(/nothing listens/),
  });
});

test.each(["relay.example.org", "http://127.0.0.1:1?x=1"])("relayIceServers refuses %s at once", (relay) => {
  expect(() => relayIceServers({ relay, publicKey })).toThrow(expect.objectContaining({ code: "invalid-url" }));
});
