/** The address of the playground's page, which is a relay's as well. */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type ClientHttp2Stream, connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generatePrivateKey } from "@wice/core";
import { createRelay, type Relay } from "@wice/node/relay";
import { expect, onTestFinished, test, vi } from "vitest";
import { openCertificate } from "../../playground/server/certificate.ts";
import { openPageServer } from "../../playground/server/page-server.ts";

interface Scene {
  readonly relay: Relay;
  readonly port: number;
}

async function openScene(tls?: { readonly cert: string; readonly key: string }): Promise<Scene> {
  const relay = await createRelay();
  onTestFinished(() => relay.close({ graceMs: 0 }));
  const server = await openPageServer({
    host: "127.0.0.1",
    port: 0,
    relay: { host: "127.0.0.1", port: relay.port },
    tls,
  });
  onTestFinished(() => server.close());
  return { relay, port: server.port };
}

const streamType = { "content-type": "application/connect+json" };

function question(): Buffer {
  const json = Buffer.from(JSON.stringify({ keys: [generatePrivateKey().publicKey.toString()] }));
  return Buffer.concat([Buffer.of(0, 0, 0, 0, json.length), json]);
}

test("it hands a stream on as it comes, and tells the relay when the page goes", async () => {
  const { relay, port } = await openScene();
  const leaving = new AbortController();
  const request = { method: "POST", headers: streamType, body: question(), signal: leaving.signal };
  const answer = await fetch(`http://127.0.0.1:${port}/wice.v1.Relay/Listen`, request);
  expect(answer.headers.get("content-type")).toBe("application/connect+json");
  const { value } = (await answer.body?.getReader().read()) ?? {};
  expect(value?.length).toBeGreaterThan(0);
  expect(relay.counters().subscriptions).toBe(1);
  leaving.abort();
  await vi.waitFor(() => expect(relay.counters().subscriptions).toBe(0));
});

test("it does so over HTTP/2 and TLS", async () => {
  const folder = await mkdtemp(join(tmpdir(), "wice-playground-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const certificate = await openCertificate(join(folder, "certificate.pem"), ["127.0.0.1"]);
  const { relay, port } = await openScene(certificate);
  const session = connect(`https://127.0.0.1:${port}`, { ca: certificate.cert });
  onTestFinished(() => session.destroy());
  const headers = { ":method": "POST", ":path": "/wice.v1.Relay/Listen", ...streamType };
  const open = (): ClientHttp2Stream => {
    const stream = session.request(headers);
    stream.on("error", () => {});
    stream.end(question());
    return stream;
  };
  // More than the six that HTTP/1.1 lets a page have.
  const streams = Array.from({ length: 10 }, open);
  await Promise.all(streams.map((stream) => once(stream, "data")));
  expect(relay.counters().subscriptions).toBe(10);
  for (const stream of streams) stream.close();
  await vi.waitFor(() => expect(relay.counters().subscriptions).toBe(0));
  const page = session.request({ ":path": "/" });
  const [{ ":status": status }] = (await once(page, "response")) as [{ ":status": number }];
  expect(status).toBe(200);
  page.close();
});

test("it answers for a relay that is not there, and has it again when it is back", async () => {
  const { relay, port } = await openScene();
  const call = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
  const ask = (): Promise<Response> => fetch(`http://127.0.0.1:${port}/wice.v1.Relay/GetServerInfo`, call);
  expect((await ask()).status).toBe(200);
  await relay.close({ graceMs: 0 });
  expect((await ask()).status).toBe(503);
  const again = await createRelay({ port: relay.port });
  onTestFinished(() => again.close({ graceMs: 0 }));
  expect((await ask()).status).toBe(200);
});

test("it gives out no key and no other file that is not the page's, and lets nobody frame it", async () => {
  const { port } = await openScene();
  const read = async (path: string): Promise<number> => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
  const { headers } = await fetch(`http://127.0.0.1:${port}/`);
  expect(headers.get("content-security-policy")).toBe("frame-ancestors 'none'");
  expect(await read("/src/main.ts")).toBe(200);
  const root = new URL("../../", import.meta.url).pathname;
  // Where the certificate is kept.
  const key = `playground/.cache/${process.pid}.pem`;
  onTestFinished(() => rm(`${root}${key}`));
  await openCertificate(`${root}${key}`, ["localhost"]);
  for (const path of ["package.json", key, "test/kit/certificate.ts"]) {
    expect([path, await read(`/@fs${root}${path}`)]).toEqual([path, 403]);
    expect([path, await read(`/@fs${root}${path}?raw`)]).toEqual([path, 403]);
  }
});
