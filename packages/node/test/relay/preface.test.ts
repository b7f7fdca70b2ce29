import { connect as connectTls } from "node:tls";
import { describe, expect, test } from "vitest";
import { publishPath } from "./raw-client.ts";
import { openHttp1, post } from "./raw-http1.ts";
import { openSocket, preface, subscribeFrames } from "./raw-socket.ts";
import { startRelay, until } from "./relay.ts";
import { envelope, someKey } from "./wire.ts";

const request = post(publishPath, { "content-type": "application/proto" }, envelope());
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("on one plain port", () => {
  test("HTTP/2 is recognised, however its first bytes come", async () => {
    const relay = await startRelay();
    const bytes = Buffer.concat([preface(), subscribeFrames(1, someKey())]);
    for (let at = 1; at < 40; at++) {
      const socket = await openSocket(relay.port);
      socket.resume();
      socket.write(bytes.subarray(0, at));
      await turn();
      await turn();
      socket.write(bytes.subarray(at));
      await until(() => relay.counters().subscriptions === 1);
      socket.destroy();
      await until(() => relay.counters().connections === 0);
    }
    const socket = await openSocket(relay.port);
    socket.resume();
    for (const byte of bytes) {
      socket.write(Buffer.of(byte));
      await turn();
    }
    await until(() => relay.counters().subscriptions === 1);
  });

  test("HTTP/1.1 is recognised, however its first bytes come", async () => {
    const relay = await startRelay();
    for (let at = 1; at < 12; at++) {
      const client = await openHttp1(relay.port);
      client.socket.write(request.subarray(0, at));
      await turn();
      await turn();
      client.socket.write(request.subarray(at));
      await client.until((text) => text.startsWith("HTTP/1.1 200 "));
      client.socket.destroy();
    }
    expect(relay.counters().published).toBe(11);
  });

  test.each([
    ["P", "PUT /healthz HTTP/1.1\r\nhost: relay\r\n\r\n", 404],
    ["PR", "PROPFIND /healthz HTTP/1.1\r\nhost: relay\r\n\r\n", 404],
    ["PRI", "PRIX / HTTP/1.1\r\nhost: relay\r\n\r\n", 400],
  ])("what begins with %s and goes on otherwise is HTTP/1.1", async (_, text, status) => {
    const relay = await startRelay();
    const client = await openHttp1(relay.port);
    for (const character of text) {
      client.socket.write(character);
      await turn();
    }
    await client.until((received) => received.startsWith(`HTTP/1.1 ${status} `));
  });

  test("half of HTTP/2's first words, and then the end, is the end", async () => {
    const relay = await startRelay();
    for (const length of [1, 3, 10, 20]) {
      const client = await openHttp1(relay.port);
      client.socket.end(preface().subarray(0, length));
      await client.ended;
    }
    await until(() => relay.counters().connections === 0);
  });

  test("a client that begins with TLS is told by the end of the connection", async () => {
    const relay = await startRelay();
    const socket = connectTls({ port: relay.port, host: "127.0.0.1" });
    const error = await new Promise<Error>((resolve) => socket.once("error", resolve));
    expect(error.message).toMatch(/wrong version number|packet length too long|SSL/i);
    await until(() => relay.counters().connections === 0);
  });

  test("silence ends with the relay, at the latest", async () => {
    const relay = await startRelay();
    const client = await openHttp1(relay.port);
    await until(() => relay.counters().connections === 1);
    const startMs = performance.now();
    await relay.close();
    expect(performance.now() - startMs).toBeLessThan(1_000);
    expect(await client.ended).toBe("");
  });
});

test("a client of a TLS port that begins in plain text is told by the end of the connection", async () => {
  const { selfSigned } = await import("./self-signed.ts");
  const relay = await startRelay({ tls: selfSigned() });
  const client = await openHttp1(relay.port);
  client.socket.write(request);
  expect(await client.ended).not.toContain("HTTP/1.1 200");
  expect(relay.counters()).toMatchObject({ connections: 0, published: 0 });
});

test("a client that never goes on with TLS does not hold up the relay's stop", async () => {
  const { selfSigned } = await import("./self-signed.ts");
  const relay = await startRelay({ tls: selfSigned() });
  const silent = await openHttp1(relay.port);
  await turn();
  const startMs = performance.now();
  await relay.close();
  expect(performance.now() - startMs).toBeLessThan(1_000);
  await silent.ended;
});
