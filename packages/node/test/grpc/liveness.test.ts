import type { ServerHttp2Session } from "node:http2";
import { describe, expect, test } from "vitest";
import { createGrpcTransport } from "../../src/grpc/transport.ts";
import {
  answer,
  bob,
  emptyMessage,
  envelope,
  framedEnvelope,
  type Request,
  rejection,
  scriptedServer,
  until,
  welcome,
} from "./scripted-server.ts";
import { tcpProxy } from "./tcp-proxy.ts";

const quick = { pingIntervalMs: 40, pingTimeoutMs: 150 };

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const good = ({ method, stream }: Request): void => (method === "Subscribe" ? welcome(stream) : answer(stream));

/**
 * The ping policy of grpc-go's server with its defaults (MinTime 5 min, PermitWithoutStream false): a PING within five
 * minutes of the last is a strike unless HEADERS or DATA were sent since, and the third strike ends the connection.
 */
function grpcGoPolicy(session: ServerHttp2Session): { sent(): void } {
  let sentSincePing = false;
  let lastPingAt = Number.NEGATIVE_INFINITY;
  let strikes = 0;
  session.on("ping", () => {
    const now = performance.now();
    if (sentSincePing) {
      strikes = 0;
      sentSincePing = false;
    } else if (now - lastPingAt < 300_000) strikes += 1;
    lastPingAt = now;
    if (strikes > 2) {
      session.goaway(11, 0, Buffer.from("too_many_pings"));
      session.destroy();
    }
  });
  return {
    sent() {
      sentSincePing = true;
    },
  };
}

describe("a silent connection in use", () => {
  test("is asked for signs of life in a way that grpc-go with its defaults bears", async () => {
    const policies = new Map<ServerHttp2Session, ReturnType<typeof grpcGoPolicy>>();
    await using server = await scriptedServer(
      (request) => {
        good(request);
        const { session } = request.stream;
        if (session) policies.get(session as ServerHttp2Session)?.sent();
      },
      { onSession: (session) => void policies.set(session, grpcGoPolicy(session)) },
    );
    const transport = createGrpcTransport({ url: server.url, ...quick });
    const iterator = (await transport.subscribe(bob))[Symbol.asyncIterator]();
    const ended = rejection(iterator.next().then(() => Promise.reject(new Error("ended"))));
    expect(await Promise.race([ended, pause(1500)])).toBeUndefined();
    const calls = server.requests.filter(({ method }) => method === "GetBuildInfo").length;
    expect(server.sessions.length).toBe(1);
    expect(server.pings).toBeGreaterThan(3);
    expect(calls).toBeGreaterThan(3);
    expect(Math.abs(server.pings - calls)).toBeLessThanOrEqual(1);
    await transport.close();
  });

  test("is not asked while the server sends of its own accord", async () => {
    let beat: NodeJS.Timeout | undefined;
    await using server = await scriptedServer(({ stream }) => {
      welcome(stream);
      beat = setInterval(() => stream.write(emptyMessage), 10);
    });
    const transport = createGrpcTransport({ url: server.url, pingIntervalMs: 100, heartbeatMs: 10_000 });
    await transport.subscribe(bob);
    await pause(600);
    expect(server.pings).toBe(0);
    expect(server.requests.length).toBe(1);
    await transport.close();
    clearInterval(beat);
  });

  test("that is half-open is given up, and the next call makes a new one", async () => {
    await using server = await scriptedServer(good);
    await using proxy = await tcpProxy(server.port);
    const transport = createGrpcTransport({ url: `http://127.0.0.1:${proxy.port}`, ...quick });
    const iterator = (await transport.subscribe(bob))[Symbol.asyncIterator]();
    await pause(200);
    proxy.flowing = false;
    const start = performance.now();
    const error = await rejection(iterator.next());
    expect(error).toMatchObject({ code: "unavailable", retryable: true });
    expect(String(error)).toMatch(/dead/);
    expect(performance.now() - start).toBeGreaterThan(140);
    expect(performance.now() - start).toBeLessThan(1000);
    proxy.flowing = true;
    await transport.subscribe(bob);
    expect(server.sessions.length).toBe(2);
    await transport.close();
  });

  test("that is half-open is given up even when it can only be asked by calls", async () => {
    let silent = false;
    await using server = await scriptedServer((request) => {
      if (!silent) good(request);
    });
    await using proxy = await tcpProxy(server.port);
    const transport = createGrpcTransport({ url: `http://127.0.0.1:${proxy.port}`, ...quick });
    const iterator = (await transport.subscribe(bob))[Symbol.asyncIterator]();
    // The first question is a PING, and nothing has paid for a second one.
    await until(() => server.pings === 1);
    silent = true;
    proxy.flowing = false;
    expect(await rejection(iterator.next())).toMatchObject({ code: "unavailable", retryable: true });
    await transport.close();
  });

  test("that is held back by its own application is alive", async () => {
    await using server = await scriptedServer((request) => {
      good(request);
      if (request.method !== "Subscribe") return;
      request.stream.write(emptyMessage);
      for (let i = 0; i < 5000; i++) request.stream.write(framedEnvelope(i, 200));
    });
    const transport = createGrpcTransport({ url: server.url, ...quick, heartbeatMs: 30 });
    const subscription = await transport.subscribe(bob);
    await pause(600);
    const iterator = subscription[Symbol.asyncIterator]();
    expect((await iterator.next()).done).toBe(false);
    expect(server.sessions.length).toBe(1);
    await transport.close();
  });

  test("whose server once complained about PINGs is only asked by calls from then on", async () => {
    let complained = false;
    await using server = await scriptedServer(good, {
      onSession(session) {
        session.once("ping", () => {
          if (complained) return;
          complained = true;
          session.goaway(11, 0, Buffer.from("too_many_pings"));
          session.destroy();
        });
      },
    });
    const transport = createGrpcTransport({ url: server.url, ...quick });
    const first = (await transport.subscribe(bob))[Symbol.asyncIterator]();
    expect(await rejection(first.next())).toMatchObject({ code: "unavailable", retryable: true });
    await transport.subscribe(bob);
    await pause(500);
    expect(server.pings).toBe(1);
    expect(server.requests.filter(({ method }) => method === "GetBuildInfo").length).toBeGreaterThan(2);
    expect(server.sessions.length).toBe(2);
    await transport.close();
  });
});

describe("an idle connection", () => {
  test("is left alone", async () => {
    await using server = await scriptedServer(good);
    const transport = createGrpcTransport({ url: server.url, ...quick });
    await transport.publish(envelope(1));
    await pause(400);
    expect(server.pings).toBe(0);
    expect(server.requests.length).toBe(1);
    await transport.close();
  });

  test("is asked at once when it is used again, so that a call on a dead one need not wait for its deadline", async () => {
    await using server = await scriptedServer(good);
    await using proxy = await tcpProxy(server.port);
    const transport = createGrpcTransport({ url: `http://127.0.0.1:${proxy.port}`, ...quick });
    await transport.publish(envelope(1));
    await pause(100);
    await transport.publish(envelope(2));
    expect(server.pings).toBe(1);
    proxy.flowing = false;
    await pause(100);
    const start = performance.now();
    expect(await rejection(transport.publish(envelope(3)))).toMatchObject({ code: "unavailable", retryable: true });
    expect(performance.now() - start).toBeLessThan(1000);
    proxy.flowing = true;
    await transport.publish(envelope(4));
    await transport.close();
  });
});
