/** The Go peer against itself: that it has the habits and the faults which the other tests here rely on. */

import { create, toBinary } from "@bufbuild/protobuf";
import { EnvelopeSchema } from "@wice/core/wire";
import { describe, expect, test } from "vitest";
import { buildGo } from "../kit/go-build.ts";
import { type GoMessage, startGoClient, startGoServer } from "../kit/go-peer.ts";
import { createTcpProxy } from "../kit/tcp-proxy.ts";
import { generatePair, toBase64 } from "./keys.ts";

const gopeer = (await buildGo()) ?? "";
const credentials = { ufrag: "a".repeat(16), pwd: "b".repeat(32) };

describe.skipIf(gopeer === "").concurrent("the Go peer", () => {
  test("passes a message through its own server", async () => {
    await using server = await startGoServer(gopeer);
    await using client = await startGoClient(gopeer, server.address);
    const { modules } = client;
    console.log(
      `grpc-go ${modules["google.golang.org/grpc"]}, protobuf-go ${modules["google.golang.org/protobuf"]}, x/crypto ${modules["golang.org/x/crypto"]}`,
    );
    const [alice, bob] = [generatePair(), generatePair()];
    await client.run("subscribe", { key: bob.private });
    await client.run("publish", { key: alice.private, to: bob.public, message: { credentials } });
    const [message] = await client.until("message");
    expect(message).toMatchObject({ from: alice.public, to: bob.public, message: { credentials }, unknownBytes: 0 });
    expect(client.complaints).toEqual([]);
  });

  test("subscribes again after an error, each time, but never after a clean end", async () => {
    await using server = await startGoServer(gopeer);
    await using client = await startGoClient(gopeer, server.address);
    await client.run("subscribe", { key: generatePair().private });
    for (const live of [2, 3]) {
      await server.run("end", { code: "UNAVAILABLE" });
      await client.until("subscription", ({ state }) => state === "live", { count: live });
    }
    await server.run("end");
    await client.until("subscription", ({ state }) => state === "deaf");
    expect(server.find("subscribe")).toHaveLength(3);
  });

  test("stays deaf when its one new subscription fails", async () => {
    await using server = await startGoServer(gopeer);
    await using client = await startGoClient(gopeer, server.address);
    await client.run("subscribe", { key: generatePair().private });
    await server.run("refuse", { method: "Subscribe", code: "RESOURCE_EXHAUSTED", count: 1 });
    await server.run("end", { code: "UNAVAILABLE" });
    await client.until("subscription", ({ state }) => state === "deaf");
    expect(client.complaints).toHaveLength(1);
  });

  test("complains about empty envelopes, and panics for one without contents", async () => {
    await using server = await startGoServer(gopeer);
    await using client = await startGoClient(gopeer, server.address);
    const [alice, bob] = [generatePair(), generatePair()];
    await client.run("subscribe", { key: bob.private });
    await server.run("inject", { key: bob.public, envelope: "" });
    await client.until("log", ({ level }) => level === "error");
    const hollow = create(EnvelopeSchema, { sender: alice.publicBytes, recipient: bob.publicBytes });
    await server.run("inject", { key: bob.public, envelope: toBase64(toBinary(EnvelopeSchema, hollow)) });
    await expect(client.until("message")).rejects.toThrow("nil pointer dereference");
    expect(client.exit?.code).toBe(2);
  });

  test("panics for a message to its group that holds no peer", async () => {
    await using server = await startGoServer(gopeer);
    await using client = await startGoClient(gopeer, server.address);
    const [ours, group] = [generatePair(), generatePair()];
    await client.run("subscribe", { key: group.private, group: true });
    await client.run("publish", { key: ours.private, to: group.public, message: { credentials, peer: {} } });
    await client.until("message");
    await client.run("publish", { key: ours.private, to: group.public, message: { credentials } }).catch(() => {});
    await expect(client.until("message", undefined, { count: 2 })).rejects.toThrow("nil pointer dereference");
  });

  test("does not start without an answer to GetBuildInfo, and waits for a server that is not there", async () => {
    await using server = await startGoServer(gopeer);
    await using proxy = await createTcpProxy({ target: server });
    await proxy.refuse();
    await using patient = await startGoClient(gopeer, proxy.address);
    await proxy.heal();
    await patient.until("ready");
    await server.run("noBuildInfo", { on: true });
    await using doomed = await startGoClient(gopeer, server.address);
    await expect(doomed.until("ready")).rejects.toThrow("ended");
    expect(doomed.exit?.code).toBe(1);
  });

  test("has a server that freezes the publishers of a key when one subscriber stops reading", async () => {
    await using server = await startGoServer(gopeer, ["--queue=4"]);
    await using client = await startGoClient(gopeer, server.address);
    const [alice, bob, carol] = [generatePair(), generatePair(), generatePair()];
    await client.run("subscribe", { key: bob.private });
    await server.run("hold", { key: bob.public, on: true });
    const toBob = { key: alice.private, to: bob.public, count: 10, timeoutMs: 1_000 };
    expect(await client.run("burst", toBob)).toMatchObject({ failed: { DeadlineExceeded: expect.any(Number) } });
    expect(await client.run("burst", { ...toBob, to: carol.public })).toMatchObject({ acked: 10, failed: {} });
    await server.run("hold", { key: bob.public, on: false });
    await client.until("message", undefined, { count: 4 });
  });

  test("has a server that drops, repeats and never confirms on command", async () => {
    await using server = await startGoServer(gopeer);
    await using client = await startGoClient(gopeer, server.address);
    const [alice, bob] = [generatePair(), generatePair()];
    await client.run("subscribe", { key: bob.private });
    await server.run("drop", { count: 1 });
    await client.run("burst", { key: alice.private, to: bob.public, count: 1 });
    await server.run("duplicate", { count: 1 });
    await client.run("burst", { key: alice.private, to: bob.public, count: 2 });
    const messages = (await client.until("message", undefined, { count: 3 })) as readonly GoMessage[];
    expect(messages.map(({ message }) => message.candidate?.foundation)).toEqual(["0", "0", "1"]);
    await server.run("stall", { on: true });
    await expect(client.run("subscribe", { key: alice.private }, { timeoutMs: 500 })).rejects.toThrow("500 ms passed");
  });
});
