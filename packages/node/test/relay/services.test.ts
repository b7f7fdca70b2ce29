import { createHmac } from "node:crypto";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { EnvelopeSchema, RelayRegistry, Relay as RelayService, Signaling } from "@wice/core/wire";
import { describe, expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { type createRelay, parseIceServer, type Relay } from "../../src/relay/index.ts";
import { call, openSession, openStream, outcome } from "./raw-client.ts";
import { startRelay } from "./relay.ts";
import { envelope, framed, someKey } from "./wire.ts";

describe("through the generic router", () => {
  test("GetBuildInfo always answers", async () => {
    const { transport } = await connected();
    const info = await createClient(Signaling, transport).getBuildInfo({});
    expect(info.version).toBe(packageJson.version);
    expect(info.os).toMatch(/^(linux|darwin|windows|freebsd)$/);
    expect(info.arch).not.toBe("x64");
  });

  test("GetServerInfo names limits and capabilities", async () => {
    const { transport } = await connected({ limits: { maxEnvelopeBytes: 1_000, maxQueuedEnvelopes: 7 } });
    const info = await createClient(RelayService, transport).getServerInfo({});
    expect(info).toMatchObject({
      version: packageJson.version,
      capabilities: ["heartbeat", "subscribers", "listen"],
      limits: { maxEnvelopeBytes: 1_000, maxQueuedEnvelopes: 7, maxKeysPerListen: 1_024 },
    });
    expect(info.publicKey).toHaveLength(0);
  });

  test("GetRelays answers an empty list when there is none", async () => {
    const { transport } = await connected();
    expect((await createClient(RelayRegistry, transport).getRelays({ publicKey: someKey() })).relays).toEqual([]);
  });

  test("GetRelays answers servers, static credentials, and credentials that expire", async () => {
    const { transport } = await connected({
      iceServers: [
        parseIceServer("stun:stun.example.org:3478"),
        parseIceServer("turn:alice:s3cret@turn.example.org:3478?transport=udp"),
        parseIceServer("turns:turn.example.org?secret=shared&ttl=30m"),
      ],
    });
    const publicKey = someKey();
    const nowUnix = Date.now() / 1_000;
    const { relays } = await createClient(RelayRegistry, transport).getRelays({ publicKey });
    const [stun, fixed, rest] = relays;
    expect(relays).toHaveLength(3);
    expect(stun).toMatchObject({ url: "stun:stun.example.org:3478", username: "", password: "" });
    expect(stun?.expires).toBeUndefined();
    expect(fixed).toMatchObject({
      url: "turn:turn.example.org:3478?transport=udp",
      username: "alice",
      password: "s3cret",
    });
    expect(fixed?.expires).toBeUndefined();
    expect(rest?.url).toBe("turns:turn.example.org");
    const expires = rest?.expires?.seconds ?? 0;
    expect(expires).toBeGreaterThanOrEqual(Math.floor(nowUnix) + 1_800);
    expect(expires).toBeLessThanOrEqual(nowUnix + 1_805);
    expect(rest?.username).toBe(`${expires}:${publicKey.toString("base64")}`);
    expect(rest?.password).toBe(
      createHmac("sha1", "shared")
        .update(rest?.username ?? "")
        .digest("base64"),
    );
    expect(JSON.stringify(relays)).not.toContain("shared");
  });

  test.each([
    ["31 bytes", new Uint8Array(31).fill(1)],
    ["no key", new Uint8Array()],
    ["a key that is not canonical", new Uint8Array(32).fill(0xff)],
  ])("GetRelays refuses %s", async (_, publicKey) => {
    const { transport } = await connected();
    const answer = createClient(RelayRegistry, transport).getRelays({ publicKey });
    await expect(answer).rejects.toMatchObject({ code: Code.InvalidArgument });
  });

  test.each(["/cunicu.signaling.Signaling/Nothing", "/no.Service/Method", "/", "//", "/%", "/../../x"])(
    "%s is unknown",
    async (path) => {
      const relay = await startRelay();
      const session = openSession(relay.url);
      const asGrpc = await call(session, path, framed(new Uint8Array()));
      expect(asGrpc.grpc === "12" || (asGrpc.http ?? 0) >= 400).toBe(true);
      const other = await call(session, path, undefined, { ":method": "GET", "content-type": "text/html" });
      expect(other.http).toBeGreaterThanOrEqual(400);
      expect((await call(session, "/cunicu.signaling.Signaling/GetBuildInfo", framed(new Uint8Array()))).grpc).toBe(
        "0",
      );
    },
  );

  test("a request that never ends, is reset or is cut does not bring the relay down", async () => {
    const relay = await startRelay();
    const path = "/cunicu.signaling.RelayRegistry/GetRelays";
    for (const end of ["reset", "cut"] as const) {
      const session = openSession(relay.url);
      const stream = openStream(session, path);
      const ended = outcome(stream);
      stream.write(framed(envelope()).subarray(0, 20));
      await new Promise<void>((resolve) => session.ping(() => resolve()));
      if (end === "reset") stream.close(2);
      else session.destroy();
      await ended;
    }
    expect(
      (await call(openSession(relay.url), path, framed(Buffer.concat([Buffer.of(0x0a, 32), someKey()])))).grpc,
    ).toBe("0");
  });

  test("a request that does not arrive in time is refused", async () => {
    const relay = await startRelay({ limits: { maxRequestMs: 100 } });
    const stream = openStream(openSession(relay.url), "/cunicu.signaling.Signaling/GetBuildInfo");
    stream.write(Buffer.of(0));
    expect(await outcome(stream)).toMatchObject({ http: 200, grpc: "4" });
  });

  test("CONNECT is refused", async () => {
    const relay = await startRelay();
    const session = openSession(relay.url);
    const stream = session.request({ ":method": "CONNECT", ":authority": "example.org:443" });
    stream.on("error", () => {});
    expect((await outcome(stream)).http).toBeGreaterThanOrEqual(400);
  });
});

test("the generic client of Connect can publish and subscribe on the lean path", async () => {
  const { relay, transport } = await connected();
  const client = createClient(Signaling, transport);
  const key = someKey();
  const abort = new AbortController();
  const received = client.subscribe({ key }, { signal: abort.signal })[Symbol.asyncIterator]();
  expect((await received.next()).value).toMatchObject({ $typeName: EnvelopeSchema.typeName, sender: new Uint8Array() });
  const sent = {
    sender: someKey(),
    recipient: key,
    contents: { body: Buffer.alloc(20, 1), nonce: Buffer.alloc(24, 2) },
  };
  expect((await client.publish(sent, { timeoutMs: 5_000 })).subscribers).toBe(1);
  const { value } = (await received.next()) as { value: { recipient: Uint8Array; contents: { body: Uint8Array } } };
  expect(Buffer.from(value.recipient)).toEqual(key);
  expect(Buffer.from(value.contents.body)).toEqual(Buffer.alloc(20, 1));
  await expect(client.publish({ ...sent, sender: new Uint8Array(3) })).rejects.toMatchObject({
    code: Code.InvalidArgument,
  });
  const ended = expect(received.next()).rejects.toMatchObject({ code: Code.Unavailable });
  await relay.close();
  await ended;
});

async function connected(
  options: Parameters<typeof createRelay>[0] = {},
): Promise<{ relay: Relay; transport: Transport }> {
  const relay = await startRelay(options);
  return { relay, transport: createGrpcTransport({ baseUrl: relay.url }) };
}
