import { generatePrivateKey } from "@wice/core";
import { createVirtualClock } from "@wice/core/testing";
import { relayIceServers } from "@wice/web";
import { describe, expect, test } from "vitest";
import { buildGo } from "../../../test/kit/go-build.ts";
import { type GoServer, startGoRegistry } from "../../../test/kit/go-peer.ts";
import { askBy } from "../../../test/kit/recorded-rtc.ts";
import { createCountedController } from "./support/counted-signal.ts";
import { rejectionOf, wiceError } from "./support/errors.ts";

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

describe.skipIf(gopeer === undefined).each(["connect", "grpc-web"] as const)(
  "relayIceServers, of a registry in Go, by %s",
  (protocol) => {
    const sourceOf = ({ address }: GoServer, connect = {}) =>
      relayIceServers({ relay: `http://${address}`, publicKey, connect: { protocol, ...connect } });

    test("has its STUN and TURN servers, for our key, until they end", async () => {
      await using server = await startGoRegistry(gopeer as string);
      const expires = inSeconds(3_600);
      await server.run("relays", { relays: [{ url: "stun:stun.example.org" }, { ...turn, expires }] });
      expect(await sourceOf(server)({})).toEqual({
        servers: [{ urls: "stun:stun.example.org" }, asIceServer],
        expiresAtMs: 1_000 * expires,
      });
      expect((await linesOf(server, "getRelays")).map(({ key }) => key)).toEqual([`${publicKey}`]);
      const spoken = protocol === "connect" ? "connect" : "grpcweb";
      expect((await linesOf(server, "call")).map((call) => call.protocol)).toEqual([spoken]);
    });

    test("asks again before credentials end, and no sooner", async () => {
      await using server = await startGoRegistry(gopeer as string);
      const asking = askBy(sourceOf(server));
      await server.run("relays", { relays: [{ ...turn, expires: inSeconds(30) }] });
      expect(await asking.next()).toEqual([{ ...asIceServer, urls: [turn.url] }]);
      await server.run("relays", { relays: [{ ...turn, password: "next", expires: inSeconds(3_600) }] });
      const renewed = [{ ...asIceServer, urls: [turn.url], credential: "next" }];
      expect(await asking.next()).toEqual(renewed);
      expect(await asking.next()).toEqual(renewed);
      expect(await linesOf(server, "getRelays")).toHaveLength(2);
    });

    test.each([
      ["PERMISSION_DENIED", { code: "permission-denied", retryable: false }],
      ["UNAUTHENTICATED", { code: "unauthenticated", retryable: false }],
      ["RESOURCE_EXHAUSTED", { code: "resource-exhausted", retryable: true }],
      ["UNAVAILABLE", { code: "unavailable", retryable: true }],
    ])("rejects when it answers %s", async (code, error) => {
      await using server = await startGoRegistry(gopeer as string);
      await server.run("refuseRelays", { code });
      expect(await rejectionOf(sourceOf(server)({}))).toMatchObject(error);
    });

    test("knows no servers where there is no registry", async () => {
      await using server = await startGoRegistry(gopeer as string);
      await server.run("refuseRelays", { code: "UNIMPLEMENTED" });
      expect(await sourceOf(server)({})).toEqual({ servers: [] });
    });

    test("goes on with the servers it knew when the next answer is a refusal, and says so", async () => {
      await using server = await startGoRegistry(gopeer as string);
      const asking = askBy(sourceOf(server));
      await server.run("relays", { relays: [{ ...turn, expires: inSeconds(30) }] });
      const known = await asking.next();
      await server.run("refuseRelays", { code: "PERMISSION_DENIED" });
      expect(await asking.next()).toEqual(known);
      expect(asking.errors).toMatchObject([{ url: "iceServers", code: 701 }]);
      expect(asking.errors[0]?.text).toMatch(/PermissionDenied: refused by the test/);
    });

    test("rejects with the signal's reason, ends the call, and leaves no listener on the signal", async () => {
      await using server = await startGoRegistry(gopeer as string);
      await server.run("holdRelays", { on: true });
      const controller = createCountedController();
      const asked = rejectionOf(sourceOf(server)({ signal: controller.signal }));
      await server.until("getRelays");
      const reason = new Error("enough");
      controller.abort(reason);
      expect(await asked).toBe(reason);
      await server.until("getRelaysEnded");
    });

    test("leaves nothing on the caller's signal when it was answered", async () => {
      await using server = await startGoRegistry(gopeer as string);
      const controller = createCountedController();
      await sourceOf(server)({ signal: controller.signal });
      expect(controller.listeners).toBe(0);
    });

    test("rejects where nothing listens", async () => {
      const source = relayIceServers({ relay: "http://127.0.0.1:1", publicKey, connect: { protocol } });
      const error = await rejectionOf(source({}));
      expect(error).toEqual(wiceError("unavailable", /nothing listens there/));
      expect(error).toMatchObject({ retryable: true });
    });
  },
);

test.skipIf(gopeer === undefined)("relayIceServers gives a silent registry five seconds", async () => {
  await using server = await startGoRegistry(gopeer as string);
  await server.run("holdRelays", { on: true });
  const clock = createVirtualClock();
  const source = relayIceServers({ relay: `http://${server.address}`, publicKey, connect: { clock } });
  const asked = rejectionOf(source({}));
  await server.until("getRelays");
  await clock.advance(4_999);
  expect(await Promise.race([asked, "waiting"])).toBe("waiting");
  await clock.advance(1);
  expect(await asked).toEqual(wiceError("unavailable", /did not answer within 5000 ms/));
});

test.each(["relay.example.org", "broadcast:chess", "https://user@relay.example.org"])(
  "relayIceServers refuses %s at once",
  (relay) => {
    expect(() => relayIceServers({ relay, publicKey })).toThrow(wiceError("invalid-url"));
  },
);
