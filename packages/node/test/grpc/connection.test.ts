import { execFile } from "node:child_process";
import type { ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { promisify } from "node:util";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { GrpcClientOptions } from "../../src/grpc/options.ts";
import { createGrpcTransport } from "../../src/grpc/transport.ts";
import { nodeTransports } from "../../src/node-transports.ts";
import { certificateFor } from "./certificate.ts";
import {
  answer,
  bob,
  envelope,
  finish,
  framedEnvelope,
  numberOf,
  rejection,
  type Script,
  scriptedServer,
  until,
  welcome,
} from "./scripted-server.ts";

const good: Script = ({ method, stream }) => (method === "Subscribe" ? welcome(stream) : answer(stream));

/** A TCP server that does what it is told with every connection; closed with the test. */
async function rawServer(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** What a publish over a new transport is refused with. */
async function refusal(url: string, options: GrpcClientOptions = {}): Promise<unknown> {
  const transport = createGrpcTransport({ connectTimeoutMs: 2000, ...options, url });
  try {
    return await rejection(transport.publish(envelope(1)));
  } finally {
    await transport.close();
  }
}

describe("without a server", () => {
  test("a refused connection says where, and what to do", async () => {
    const error = await refusal("grpc://127.0.0.1:1?insecure=true");
    expect(error).toMatchObject({ code: "unavailable", retryable: true });
    expect(String(error)).toMatch(/nothing listens on 127\.0\.0\.1:1; start the server/);
  });

  test("so does one to a name with several addresses", async () => {
    expect(String(await refusal("grpc://localhost:1?insecure=true"))).toMatch(/nothing listens on localhost:1;/);
  });

  test("a name that is not known says so", async () => {
    const error = await refusal("grpc://wice.invalid:50051?insecure=true");
    expect(error).toMatchObject({ code: "unavailable", retryable: true });
    expect(String(error)).toMatch(/wice\.invalid \(wice\.invalid:50051\)/);
  });

  test("a call comes through once the server is there: nothing of the failure stays", async () => {
    const port = await rawServer((socket) => socket.destroy());
    const transport = createGrpcTransport({ url: `http://127.0.0.1:${port}` });
    for (let i = 0; i < 3; i++) {
      expect(await rejection(transport.publish(envelope(1)))).toMatchObject({ code: "unavailable", retryable: true });
    }
    await transport.close();
  });

  test("one attempt serves all calls that wait for it", async () => {
    let connections = 0;
    const port = await rawServer((socket) => {
      connections += 1;
      setTimeout(() => socket.destroy(), 50);
    });
    const transport = createGrpcTransport({ url: `http://127.0.0.1:${port}` });
    const errors = await Promise.all(Array.from({ length: 20 }, () => rejection(transport.publish(envelope(1)))));
    expect(errors).toHaveLength(20);
    expect(connections).toBe(1);
    await transport.close();
  });
});

describe("a server that speaks something else", () => {
  test.each([
    ["nothing at all", () => {}, /no HTTP\/2 settings.*within 300 ms/],
    [
      "HTTP/1.1",
      (socket: Socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"),
      /does not speak plain HTTP\/2.*grpcs:/,
    ],
    [
      "SSH",
      (socket: Socket) => socket.write("SSH-2.0-OpenSSH_9.2\r\n"),
      /does not speak plain HTTP\/2|no HTTP\/2 settings/,
    ],
  ])("in plain text: %s", async (_name, speak, words) => {
    const port = await rawServer(speak);
    const error = await refusal(`http://127.0.0.1:${port}`, { connectTimeoutMs: 300 });
    expect(error).toMatchObject({ code: "unavailable", retryable: true });
    expect(String(error)).toMatch(words);
  });

  test("TLS, where the URL says plain text", async () => {
    const tls = await certificateFor();
    await using server = await scriptedServer(good, { tls });
    const error = await refusal(`grpc://127.0.0.1:${server.port}?insecure=true`);
    expect(error).toMatchObject({ code: "unavailable", retryable: true });
    expect(String(error)).toContain(`write grpcs://127.0.0.1:${server.port}`);
  });

  test("plain text, where the URL says TLS", async () => {
    await using server = await scriptedServer(good);
    const error = await refusal(`grpc://127.0.0.1:${server.port}`);
    expect(String(error)).toContain(`write grpc://127.0.0.1:${server.port}?insecure=true`);
  });

  test("plain HTTP/1.1, where the URL says TLS", async () => {
    const port = await rawServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const error = await refusal(`grpcs://127.0.0.1:${port}`);
    expect(error).toMatchObject({ code: "protocol", retryable: false });
    expect(String(error)).toContain(`write grpc://127.0.0.1:${port}?insecure=true`);
  });

  test("a TLS handshake that never ends", async () => {
    const port = await rawServer(() => {});
    const error = await refusal(`grpcs://127.0.0.1:${port}`, { connectTimeoutMs: 200 });
    expect(error).toMatchObject({ code: "unavailable", retryable: true });
    expect(String(error)).toMatch(/no TLS handshake within 200 ms/);
  });

  test.each([["http/1.1"], [undefined]])("TLS without HTTP/2 (ALPN %s)", async (protocol) => {
    const tls = await certificateFor();
    const server = createTlsServer({ ...tls, ...(protocol !== undefined && { ALPNProtocols: [protocol] }) });
    const sockets: Socket[] = [];
    server.on("connection", (socket) => sockets.push(socket));
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    const { port } = server.address() as AddressInfo;
    const error = await refusal(`grpcs://localhost:${port}`, { ca: tls.cert });
    expect(error).toMatchObject({ code: "protocol", retryable: false });
    expect(String(error)).toMatch(/not HTTP\/2/);
  });
});

describe("TLS", () => {
  let tls: { cert: string; key: string };
  beforeAll(async () => {
    tls = await certificateFor();
  });

  test("works with a certificate whose authority is trusted", async () => {
    await using server = await scriptedServer(good, { tls });
    for (const ca of [tls.cert, Buffer.from(tls.cert), [tls.cert]]) {
      const transport = createGrpcTransport({ url: server.url, ca });
      expect(await transport.publish(envelope(1))).toEqual({});
      expect(server.requests[0]?.headers[":scheme"]).toBe("https");
      await transport.close();
    }
  });

  test("works with any certificate when told to skip verification, in the URL or beside it", async () => {
    await using server = await scriptedServer(good, { tls });
    for (const [url, options] of [
      [`grpc://127.0.0.1:${server.port}?skip_verify=true`, {}],
      [`https://127.0.0.1:${server.port}`, { skipVerify: true }],
    ] as const) {
      const transport = createGrpcTransport({ ...options, url });
      expect(await transport.publish(envelope(1))).toEqual({});
      await transport.close();
    }
  });

  test("refuses a certificate that nobody vouches for, and says what to do", async () => {
    await using server = await scriptedServer(good, { tls });
    const error = await refusal(server.url);
    expect(error).toMatchObject({ code: "unavailable", retryable: false });
    expect(String(error)).toMatch(/certificate of localhost:\d+ is refused.*`ca`.*skip_verify=true/);
  });

  test("refuses a certificate for another name", async () => {
    const other = await certificateFor("example.org");
    await using server = await scriptedServer(good, { tls: other });
    const error = await refusal(server.url, { ca: other.cert });
    expect(error).toMatchObject({ code: "unavailable", retryable: false });
    expect(String(error)).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID/);
  });
});

describe("GOAWAY", () => {
  test("lets calls on the old connection finish, and sends new ones over a new connection", async () => {
    const streams: ServerHttp2Stream[] = [];
    await using server = await scriptedServer(({ method, stream }) => {
      if (method === "Publish") return answer(stream);
      streams.push(stream);
      welcome(stream);
    });
    const transport = createGrpcTransport({ url: server.url });
    const old = (await transport.subscribe(bob))[Symbol.asyncIterator]();
    server.sessions[0]?.goaway(0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await transport.publish(envelope(1));
    expect(server.sessions.length).toBe(2);
    streams[0]?.write(framedEnvelope(7));
    expect(numberOf((await old.next()).value)).toBe(7);
    if (streams[0]) finish(streams[0], { "grpc-status": "14" });
    expect(await rejection(old.next())).toMatchObject({ code: "unavailable", retryable: true });
    await until(() => server.sessions[0]?.destroyed === true);
    await transport.publish(envelope(2));
    expect(server.sessions.length).toBe(2);
    await transport.close();
  });

  test("refuses the calls that the server has not looked at, for another try", async () => {
    const settings = Buffer.from("000000040000000000", "hex");
    const goaway = Buffer.from("0000080700000000000000000000000000", "hex");
    const port = await rawServer((socket) => {
      socket.once("data", () => {
        socket.write(settings);
        setTimeout(() => socket.write(goaway), 50);
      });
    });
    const transport = createGrpcTransport({ url: `http://127.0.0.1:${port}` });
    const start = performance.now();
    const error = await rejection(transport.publish(envelope(1)));
    expect(error).toMatchObject({ code: "unavailable", retryable: true });
    expect(String(error)).toMatch(/takes no new calls now/);
    expect(performance.now() - start).toBeLessThan(2000);
    await transport.close();
  });
});

describe("a new connection", () => {
  test("replaces one that died, without anybody asking", async () => {
    await using server = await scriptedServer(good);
    const transport = createGrpcTransport({ url: server.url });
    for (let i = 1; i <= 5; i++) {
      await transport.publish(envelope(i));
      expect(server.sessions.length).toBe(i);
      server.sessions.at(-1)?.destroy();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await transport.close();
  });
});

describe("an aborted signal", () => {
  test("rejects with its reason at whatever time it comes, and leaves the transport at work", async () => {
    await using server = await scriptedServer(({ method, stream }) => {
      setTimeout(() => {
        if (stream.destroyed) return;
        if (method === "Subscribe") welcome(stream);
        else answer(stream);
      }, 5);
    });
    const outcomes = new Set<string>();
    for (let delayMs = 0; delayMs < 40; delayMs += 1) {
      for (const call of ["publish", "subscribe"] as const) {
        const transport = createGrpcTransport({ url: server.url });
        const controller = new AbortController();
        const reason = new Error("enough");
        const { signal } = controller;
        const running =
          call === "publish"
            ? transport.publish(envelope(1), { signal })
            : transport.subscribe(bob, { signal }).then(async (subscription) => {
                for await (const _ of subscription);
              });
        if (delayMs === 0) controller.abort(reason);
        else setTimeout(() => controller.abort(reason), delayMs / 2);
        const outcome = await running.catch((error: unknown) => error);
        expect([reason, {}]).toContainEqual(outcome);
        if (call === "subscribe") expect(outcome).toBe(reason);
        outcomes.add(outcome === reason ? "aborted" : "finished");
        expect(await transport.publish(envelope(2))).toEqual({});
        await transport.close();
      }
    }
    expect([...outcomes].sort()).toEqual(["aborted", "finished"]);
  });

  test("is left without listeners by calls that ended", async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners += 1;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners -= 1;
      removeEventListener.apply(signal, args);
    };
    await using server = await scriptedServer(good);
    const transport = createGrpcTransport({ url: server.url });
    for (let i = 0; i < 10; i++) {
      await transport.publish(envelope(i), { signal });
      await (await transport.subscribe(bob, { signal })).close();
    }
    expect(listeners).toBe(0);
    await (await transport.subscribe(bob, { signal }))[Symbol.asyncIterator]().return?.();
    await transport.close();
    await rejection(transport.publish(envelope(1), { signal }));
    expect(listeners).toBe(0);
  });
});

describe("close", () => {
  test("rejects what is pending with closed, ends subscriptions, and can be repeated", async () => {
    await using server = await scriptedServer(({ message, stream }) => {
      // The key of a subscription that never becomes live.
      if (message.length < 60 && !message.includes(Buffer.from(bob.toBytes()))) return;
      if (message.length < 60) welcome(stream);
    });
    const transport = createGrpcTransport({ url: server.url });
    const live = (await transport.subscribe(bob))[Symbol.asyncIterator]().next();
    const pending = [transport.publish(envelope(1)), transport.subscribe(envelope(1).sender)].map(rejection);
    await until(() => server.requests.length === 3);
    await Promise.all([transport.close(), transport.close()]);
    await transport.close();
    for (const error of await Promise.all(pending)) expect(error).toMatchObject({ code: "closed", retryable: false });
    expect(await live).toEqual({ done: true, value: undefined });
    expect(await rejection(transport.publish(envelope(1)))).toMatchObject({ code: "closed" });
    expect(await rejection(transport.subscribe(bob))).toMatchObject({ code: "closed" });
    await until(() => server.sessions.every(({ destroyed }) => destroyed));
  });

  test("ends an attempt to connect", async () => {
    const port = await rawServer(() => {});
    const transport = createGrpcTransport({ url: `http://127.0.0.1:${port}` });
    const pending = rejection(transport.publish(envelope(1)));
    await new Promise((resolve) => setTimeout(resolve, 30));
    await transport.close();
    expect(await pending).toMatchObject({ code: "closed" });
  });

  test("before the first call makes no connection", async () => {
    await using server = await scriptedServer(good);
    const transport = createGrpcTransport({ url: server.url });
    await transport.close();
    expect(server.sessions.length).toBe(0);
  });
});

describe("the process", () => {
  const modules = ["../../src/index.ts", "./scripted-server.ts"].map((path) => new URL(path, import.meta.url).href);
  const run = (url: string, body: string) =>
    promisify(execFile)(
      process.execPath,
      [
        "--conditions=@wice/source",
        "--input-type=module",
        "-e",
        `import { createGrpcTransport } from ${JSON.stringify(modules[0])};
         import { bob, envelope } from ${JSON.stringify(modules[1])};
         const transport = createGrpcTransport({ url: ${JSON.stringify(url)} });
         ${body}`,
      ],
      { timeout: 4000 },
    );

  test("exits by itself with an idle connection that nobody closed", async () => {
    await using server = await scriptedServer(good);
    await run(server.url, "await transport.publish(envelope(1)); await transport.publish(envelope(2));");
    expect(server.requests.length).toBe(2);
  });

  test("exits by itself after close, and after a connection that failed", async () => {
    await using server = await scriptedServer(good);
    const { stdout } = await run(
      server.url,
      `const subscription = await transport.subscribe(bob);
       await transport.publish(envelope(1));
       await transport.close();
       const failing = createGrpcTransport({ url: "http://127.0.0.1:1" });
       await failing.publish(envelope(1)).catch(() => {});
       await new Promise((resolve) => setTimeout(resolve, 20));
       console.log(process.getActiveResourcesInfo().filter((name) => /TCP|TLS|Timeout/.test(name)).join());`,
    );
    expect(stdout.trim()).toBe("");
  });

  test("stays for a live subscription, and for a call that waits", async () => {
    await using server = await scriptedServer(({ method, stream }) => {
      if (method === "Publish") return void setTimeout(() => answer(stream), 700);
      welcome(stream);
      setTimeout(() => stream.write(framedEnvelope(5)), 700);
    });
    const { stdout } = await run(
      server.url,
      `await transport.publish(envelope(1));
       for await (const _ of await transport.subscribe(bob)) break;
       console.log("done");`,
    );
    expect(stdout.trim()).toBe("done");
  });
});

test("a registry opens transports for URLs of all its schemes", async () => {
  await using server = await scriptedServer(good);
  const registry = nodeTransports();
  expect([...registry.schemes].sort()).toEqual(["grpc", "grpcs", "http", "https", "inprocess", "k8s"]);
  for (const url of [server.url, `http://127.0.0.1:${server.port}`]) {
    const transport = registry.open(url);
    expect(await transport.publish(envelope(1))).toEqual({});
    await transport.close();
  }
  expect(() => registry.open("grpc://x?nonsense=1")).toThrow(expect.objectContaining({ code: "invalid-url" }));
});
