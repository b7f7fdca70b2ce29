import { once } from "node:events";
import { Agent, request } from "node:http";
import { describe, expect, test } from "vitest";
import { publishPath, subscribePath } from "./raw-client.ts";
import { answers, chunk, openHttp1, post } from "./raw-http1.ts";
import { openSocket } from "./raw-socket.ts";
import { sleep, startRelay, until } from "./relay.ts";
import { envelope, envelopeFor, framed, someKey, subscribeParams } from "./wire.ts";

const connect = { "content-type": "application/proto" };
const connectStream = { "content-type": "application/connect+proto" };
const grpcWeb = { "content-type": "application/grpc-web+proto" };
const json = { "content-type": "application/json" };

const subscription = (headers = connectStream): Buffer =>
  post(subscribePath, headers, framed(subscribeParams({ key: someKey() })));

describe("a connection of HTTP/1.1", () => {
  test("is used for one call after the other", async () => {
    const relay = await startRelay();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 20; i++) {
      const headers = i % 2 === 0 ? connect : grpcWeb;
      const body = i % 2 === 0 ? envelope() : framed(envelope());
      const sent = request(`${relay.url}${publishPath}`, { method: "POST", headers, agent });
      sent.end(body);
      const [response] = await once(sent, "response");
      response.resume();
      await once(response, "end");
      expect(response.statusCode).toBe(200);
    }
    expect(relay.counters()).toMatchObject({ connections: 1, published: 20 });
    agent.destroy();
  });

  test("goes on after a refusal whose request had not arrived in full", async () => {
    const relay = await startRelay();
    const client = await openHttp1(relay.port);
    client.socket.write(post(publishPath, grpcWeb, framed(new Uint8Array(200_000))));
    await client.until((text) => text.includes("grpc-status: 8"));
    client.socket.write(post(publishPath, grpcWeb, framed(envelope())));
    await client.until((text) => answers(text, 200) === 2 && text.includes("grpc-status: 0"));
    expect(relay.counters()).toMatchObject({ connections: 1, published: 1 });
  });

  test("may send ahead: the first is answered, and then it is closed", async () => {
    const relay = await startRelay();
    for (const headers of [connect, json]) {
      const before = relay.counters().published;
      const body = headers === connect ? envelope() : Buffer.from('{"key":"x"}');
      const client = await openHttp1(relay.port);
      client.socket.write(Buffer.concat(Array.from({ length: 3 }, () => post(publishPath, headers, body))));
      const text = await client.ended;
      expect(answers(text, headers === connect ? 200 : 400)).toBe(1);
      expect(text.toLowerCase()).toContain("connection: close");
      expect(relay.counters().published - before).toBe(headers === connect ? 1 : 0);
    }
  });

  test("that sends more while a stream is open is closed, with its stream", async () => {
    const relay = await startRelay();
    for (const headers of [connectStream, { "content-type": "application/connect+json" }]) {
      const client = await openHttp1(relay.port);
      const key = someKey();
      const body =
        headers === connectStream ? subscribeParams({ key }) : Buffer.from(`{"key":"${key.toString("base64")}"}`);
      client.socket.write(post(subscribePath, headers, framed(body)));
      await client.until((text) => text.includes("\r\n\r\n"));
      expect(relay.counters().subscriptions).toBe(1);
      client.socket.write(post(publishPath, connect, envelope()));
      await client.ended;
      await until(() => relay.counters().connections === 0);
      expect(relay.counters()).toMatchObject({ subscriptions: 0, published: 0 });
    }
  });

  test("that sends ahead without end is closed", async () => {
    const relay = await startRelay({ limits: { maxSubscriptions: 1 } });
    const first = await openHttp1(relay.port);
    first.socket.write(subscription());
    await first.until((text) => text.includes("\r\n\r\n"));
    const greedy = await openHttp1(relay.port);
    greedy.socket.write(subscription());
    await until(() => relay.counters().delayed === 1);
    greedy.socket.write(Buffer.concat(Array.from({ length: 200 }, () => post(publishPath, connect, envelope()))));
    await greedy.ended;
    await until(() => relay.counters().delayed === 0);
    expect(relay.counters()).toMatchObject({ connections: 1, published: 0 });
  });

  test.each([
    ["of the length announced", (body: Buffer) => [post(publishPath, grpcWeb, body)]],
    [
      "in chunks",
      (body: Buffer) => [
        post(publishPath, { ...grpcWeb, "transfer-encoding": "chunked", "content-length": "" }, Buffer.alloc(0))
          .toString("latin1")
          .replace("content-length: \r\n", ""),
        ...[...body].map((byte) => chunk(Buffer.of(byte))),
        "0\r\n\r\n",
      ],
    ],
    ["byte by byte", (body: Buffer) => [...post(publishPath, grpcWeb, body)].map((byte) => Buffer.of(byte))],
  ] as const)("takes a body %s", async (_, pieces) => {
    const relay = await startRelay();
    const client = await openHttp1(relay.port);
    for (const piece of pieces(framed(envelope()))) {
      client.socket.write(piece as Buffer);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.until((text) => text.includes("grpc-status: 0"));
    expect(relay.counters().published).toBe(1);
  });

  test.each(["application/proto", "application/json", "application/grpc-web+json"])(
    "waits for no body that does not come: %s",
    async (contentType) => {
      const headers = { "content-type": contentType };
      const relay = await startRelay({ limits: { maxRequestMs: 100 } });
      const client = await openHttp1(relay.port);
      client.socket.write(post(publishPath, { ...headers, "content-length": "50" }, Buffer.alloc(3)));
      const isWeb = contentType.includes("grpc-web");
      await client.until((text) => (isWeb ? /grpc-status: 4/ : /^HTTP\/1\.1 504 /).test(text));
      // It still does not send the rest, and does not go.
      await client.ended;
      await until(() => relay.counters().connections === 0);
    },
  );

  test("waits for no head that does not come in full", async () => {
    const relay = await startRelay({ limits: { maxRequestMs: 100 } });
    const clients = await Promise.all(
      ["G", `POST ${publishPath} HTTP/1.1\r\nhost: rel`].map(async (text) => {
        const client = await openHttp1(relay.port);
        client.socket.write(text);
        return client;
      }),
    );
    for (const client of clients) expect(await client.ended).toMatch(/^HTTP\/1\.1 408 /);
    await until(() => relay.counters().connections === 0);
  });

  test("asks for the body when the client waits to be asked", async () => {
    const relay = await startRelay();
    const client = await openHttp1(relay.port);
    const [head, body] = [
      post(publishPath, { ...connect, expect: "100-continue", "content-length": "130" }, Buffer.alloc(0)),
      envelope(),
    ];
    expect(body).toHaveLength(130);
    client.socket.write(head);
    await client.until((text) => text === "HTTP/1.1 100 Continue\r\n\r\n");
    client.socket.write(body);
    await client.until((text) => answers(text, 200) === 1);
  });

  test.each([
    ["HEAD", publishPath],
    ["GET", publishPath],
    ["GET", `${publishPath}?connect=v1&encoding=proto&message=`],
    ["PUT", subscribePath],
    ["OPTIONS", publishPath],
  ])("answers %s %s in words of HTTP", async (method, path) => {
    const relay = await startRelay();
    const answer = await fetch(`${relay.url}${path}`, { method });
    expect(answer.status).toBe(405);
    expect(relay.counters()).toMatchObject({ published: 0, subscriptions: 0 });
  });

  test("answers HTTP/1.0, and closes", async () => {
    const relay = await startRelay();
    const client = await openHttp1(relay.port);
    const head = post(publishPath, connect, envelope()).toString("latin1").replace("HTTP/1.1", "HTTP/1.0");
    client.socket.write(head, "latin1");
    expect(answers(await client.ended, 200)).toBe(1);
  });

  test.each([
    ["a client that goes away in the middle of its request", post(publishPath, connect, envelope()).subarray(0, -20)],
    ["a client that goes away before its answer", post(publishPath, json, Buffer.from("{}"))],
    ["a client that goes away from its stream", subscription()],
    ["a client that goes away from its stream in JSON", subscription({ "content-type": "application/connect+json" })],
  ])("is forgotten with %s", async (_, bytes) => {
    const relay = await startRelay();
    for (const end of ["destroy", "resetAndDestroy", "end"] as const) {
      const socket = await openSocket(relay.port);
      socket.resume();
      socket.write(bytes);
      await until(() => relay.counters().connections === 1);
      await sleep(5);
      socket[end]();
      await until(() => relay.counters().connections === 0);
      expect(relay.counters()).toMatchObject({ subscriptions: 0, topics: 0, queuedBytes: 0 });
    }
  });

  test("that takes nothing of what is written to it is dropped", async () => {
    const relay = await startRelay({ pingIntervalMs: 100, limits: { maxQueuedBytes: 100_000 } });
    const key = someKey();
    const socket = await openSocket(relay.port);
    socket.pause();
    socket.write(post(subscribePath, connectStream, framed(subscribeParams({ key }))));
    await until(() => relay.counters().subscriptions === 1);
    const body = envelopeFor(key, 60_000);
    while (relay.counters().subscriptions === 1) {
      await fetch(`${relay.url}${publishPath}`, { method: "POST", headers: connect, body: Buffer.from(body) });
    }
    await until(() => relay.counters().queuedBytes === 0);
    expect(relay.counters().topics).toBe(0);
  });

  test("whose answers nobody reads is forgotten with all that it asked for", async () => {
    // Its answers repeat it.
    const origin = `https://${"x".repeat(8_000)}`;
    const relay = await startRelay({ origins: [origin] });
    const publication = post(publishPath, { ...connect, origin }, envelope());
    /** Publishes up to so many times, without reading an answer, and then subscribes. Returns how often it could. */
    const fill = async (times: number): Promise<number> => {
      const socket = await openSocket(relay.port);
      socket.pause();
      let done = 0;
      for (let stuck = false; done < times && !stuck; ) {
        const { published } = relay.counters();
        socket.write(publication);
        for (let turn = 0; turn < 30 && relay.counters().published === published; turn++) await sleep(1);
        stuck = relay.counters().published === published;
        if (!stuck) done++;
      }
      socket.write(subscription());
      await sleep(10);
      socket.destroy();
      await until(() => relay.counters().connections === 0);
      expect(relay.counters()).toMatchObject({ subscriptions: 0, topics: 0 });
      return done;
    };
    const most = await fill(Number.POSITIVE_INFINITY);
    // Node stops reading once some answers wait. Some of these find an answer before theirs that waits alone.
    for (let fewer = 0; fewer < 12; fewer++) await fill(most - fewer);
  });

  test("with a stream on which nothing happens stays", async () => {
    const relay = await startRelay({ pingIntervalMs: 100, limits: { maxRequestMs: 100 } });
    const key = someKey();
    const client = await openHttp1(relay.port);
    client.socket.write(post(subscribePath, connectStream, framed(subscribeParams({ key }))));
    await client.until((text) => text.includes("\r\n\r\n"));
    const before = client.received().length;
    // Longer than any request may take, and than any silence is borne.
    await sleep(2_500);
    await fetch(`${relay.url}${publishPath}`, {
      method: "POST",
      headers: connect,
      body: Buffer.from(envelopeFor(key)),
    });
    await until(() => client.received().length > before + 100);
    expect(relay.counters()).toMatchObject({ subscriptions: 1, delivered: 1 });
  });
});

describe("300 streams of HTTP/1.1", () => {
  test("opened and dropped leave nothing behind", async () => {
    const relay = await startRelay({ limits: { maxPendingBytesPerAddress: 310 * 4_400 } });
    for (const headers of [connectStream, grpcWeb, { "content-type": "application/connect+json" }]) {
      const isJson = headers["content-type"].endsWith("json");
      for (let round = 0; round < 2; round++) {
        const clients = await Promise.all(Array.from({ length: 300 }, () => openHttp1(relay.port)));
        for (const { socket } of clients) {
          const key = someKey();
          const message = isJson ? Buffer.from(`{"key":"${key.toString("base64")}"}`) : subscribeParams({ key });
          socket.write(post(subscribePath, headers, framed(message)));
        }
        await Promise.all(clients.map((client) => client.until((text) => text.includes("\r\n\r\n"))));
        expect(relay.counters()).toMatchObject({ subscriptions: 300, connections: 300 });
        for (const [index, { socket }] of clients.entries()) {
          if (index % 3 === 0) socket.resetAndDestroy();
          else if (index % 3 === 1) socket.end();
          else socket.destroy();
        }
        await until(() => relay.counters().connections === 0);
        expect(relay.counters()).toMatchObject({ subscriptions: 0, topics: 0, queuedBytes: 0, delayed: 0 });
        expect(relay.counters().refused).toMatchObject({ "resource-exhausted": 0 });
      }
    }
  });
});

describe("while the relay stops", () => {
  test("open streams of HTTP/1.1 are told, and their connections close at once", async () => {
    const relay = await startRelay();
    const cases = [
      [connectStream, /"code":"unavailable","message":"the relay stops/],
      [grpcWeb, /grpc-status: 14\r\ngrpc-message: the relay stops/],
      [{ "content-type": "application/connect+json" }, /"code":"unavailable","message":"the relay stops/],
      [{ "content-type": "application/grpc-web+json" }, /grpc-status: 14/],
    ] as const;
    const clients = await Promise.all(cases.map(() => openHttp1(relay.port)));
    for (const [index, { socket }] of clients.entries()) {
      const [headers] = cases[index] as (typeof cases)[number];
      const key = someKey();
      const isJson = headers["content-type"].endsWith("json");
      const message = isJson ? Buffer.from(`{"key":"${key.toString("base64")}"}`) : subscribeParams({ key });
      socket.write(post(subscribePath, headers, framed(message)));
    }
    await Promise.all(clients.map((client) => client.until((text) => text.includes("\r\n\r\n"))));
    // And one that was used, and waits for its next request.
    const idle = await openHttp1(relay.port);
    idle.socket.write(post(publishPath, connect, envelope()));
    await idle.until((text) => answers(text, 200) === 1);
    const startMs = performance.now();
    await relay.close();
    expect(performance.now() - startMs).toBeLessThan(2_000);
    for (const [index, { ended }] of clients.entries()) expect(await ended).toMatch(cases[index]?.[1] ?? "");
    await idle.ended;
    expect(relay.counters()).toMatchObject({ connections: 0, subscriptions: 0 });
  });

  test("a request that crosses the farewell is answered 503, which every protocol knows as Unavailable", async () => {
    const relay = await startRelay();
    const holder = await openHttp1(relay.port);
    holder.socket.write(subscription());
    await holder.until((text) => text.includes("\r\n\r\n"));
    const client = await openHttp1(relay.port);
    client.socket.write(post(publishPath, connect, envelope()));
    await client.until((text) => answers(text, 200) === 1);
    const bytes = post(publishPath, { ...connect, origin: "https://page.example" }, envelope());
    // From a timer: the event loop reads sockets before it goes on with the stop.
    await new Promise<void>((resolve) =>
      setTimeout(() => {
        client.socket.write(bytes);
        void relay.close();
        resolve();
      }, 1),
    );
    const text = await client.ended;
    expect(answers(text, 503)).toBe(1);
    expect(text).toMatch(/retry-after: 1/i);
    expect(text).toMatch(/access-control-allow-origin: \*/i);
    await relay.close();
    expect(relay.counters().published).toBe(1);
  });

  test("a publication under way is answered, and its connection closes", async () => {
    const relay = await startRelay();
    const client = await openHttp1(relay.port);
    const bytes = post(publishPath, connect, envelope());
    client.socket.write(bytes.subarray(0, -20));
    await until(() => relay.counters().connections === 1);
    await sleep(20);
    const closed = relay.close();
    await sleep(20);
    client.socket.write(bytes.subarray(-20));
    const text = await client.ended;
    expect(answers(text, 200)).toBe(1);
    expect(text.toLowerCase()).toContain("connection: close");
    await closed;
    expect(relay.counters().published).toBe(1);
  });
});
