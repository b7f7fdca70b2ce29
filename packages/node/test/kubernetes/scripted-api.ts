/** An API server that does what a test says, over plain HTTP. */

import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { type Envelope, generatePrivateKey, type PublicKey, randomBytes } from "@wice/core";
import { onTestFinished } from "vitest";
import type { KubernetesClientOptions } from "../../src/kubernetes/options.ts";
import { type EnvelopeObject, toObject } from "../../src/kubernetes/resource.ts";
import { createKubernetesTransport, type KubernetesTransport } from "../../src/kubernetes/transport.ts";

export interface ScriptedRequest {
  readonly verb: "create" | "list" | "watch" | "delete" | "ready";
  /** Of the object that is deleted. */
  readonly name: string;
  readonly query: Readonly<Record<string, string>>;
  readonly authorization: string;
  /** Of what is created. */
  readonly body: string;
  readonly answer: ServerResponse;
}

export interface ScriptedApi {
  readonly requests: readonly ScriptedRequest[];
  /** The n-th request with that verb, from 0, once it is there. */
  request(verb: ScriptedRequest["verb"], n?: number): Promise<ScriptedRequest>;
  connect(options?: KubernetesClientOptions): KubernetesTransport;
  readonly kubeconfig: string;
  /** How many are open now. */
  connections(): Promise<number>;
  /** Nothing listens any more, and all connections break. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
}

/** What is asked is answered by the script; without one for a verb, as an empty cluster at version 100 does. */
export async function scriptedApi(
  script: Partial<Record<ScriptedRequest["verb"], (request: ScriptedRequest) => void>> = {},
): Promise<ScriptedApi> {
  const requests: ScriptedRequest[] = [];
  const waiting = new Set<() => void>();
  const server = createServer(async (incoming, answer) => {
    const url = new URL(incoming.url ?? "", "http://x");
    const query = Object.fromEntries(url.searchParams);
    const name = url.pathname.split("/signalingenvelopes/")[1] ?? "";
    const list = query.watch === "true" ? "watch" : "list";
    const verb =
      url.pathname === "/readyz"
        ? "ready"
        : (({ POST: "create", DELETE: "delete" } as const)[incoming.method ?? ""] ?? list);
    const body = await text(incoming).catch(() => "");
    const request = { verb, name, query, authorization: incoming.headers.authorization ?? "", body, answer } as const;
    requests.push(request);
    for (const wake of [...waiting]) wake();
    (script[verb] ?? defaults[verb])(request);
  });
  const listen = async (port: number): Promise<number> => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);
  const folder = await mkdtemp(join(tmpdir(), "wice-scripted-api-"));
  const kubeconfig = join(folder, "kubeconfig");
  const goAway = async (): Promise<void> => {
    const closed = server.listening ? once(server, "close") : undefined;
    server.close();
    server.closeAllConnections();
    await closed;
  };
  onTestFinished(async () => {
    await goAway();
    await rm(folder, { recursive: true });
  });
  await writeFile(kubeconfig, kubeconfigFor(`http://127.0.0.1:${port}`, "first"));

  return {
    requests,
    kubeconfig,
    connections: () => promisify(server.getConnections.bind(server))(),
    async request(verb, n = 0) {
      for (;;) {
        const found = requests.filter((each) => each.verb === verb)[n];
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => {
          waiting.add(resolve);
        });
      }
    },
    connect(options = {}) {
      const transport = createKubernetesTransport({ ...options, url: `k8s://${kubeconfig}` });
      onTestFinished(() => transport.close());
      return transport;
    },
    goAway,
    async comeBack() {
      await listen(port);
    },
  };
}

/** JSON is YAML. */
export function kubeconfigFor(server: string, token: string): string {
  const name = "scripted";
  return JSON.stringify({
    "current-context": name,
    contexts: [{ name, context: { cluster: name, user: name, namespace: "mesh" } }],
    clusters: [{ name, cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name, user: { token } }],
  });
}

export function answerJson({ answer }: ScriptedRequest, body: unknown, status = 200, headers = {}): void {
  answer.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** A `metav1.Status` that refuses. */
export function refuse(request: ScriptedRequest, code: number, status: object = {}, headers = {}): void {
  answerJson(request, { kind: "Status", status: "Failure", code, ...status }, code, headers);
}

export function answerList(
  request: ScriptedRequest,
  resourceVersion: number,
  items: readonly EnvelopeObject[] = [],
): void {
  answerJson(request, { metadata: { resourceVersion: String(resourceVersion) }, items });
}

/** The watch goes on. */
export function startWatch({ answer }: ScriptedRequest, ...events: readonly object[]): void {
  answer.writeHead(200, { "content-type": "application/json" });
  answer.flushHeaders();
  for (const event of events) answer.write(`${JSON.stringify(event)}\n`);
}

export function newEnvelope(recipient: PublicKey, bodyBytes = 50): Envelope {
  const sender = generatePrivateKey().publicKey;
  return { sender, recipient, body: randomBytes(bodyBytes), nonce: randomBytes(24) };
}

export function stored(envelope: Envelope, resourceVersion: number): EnvelopeObject {
  const object = toObject(envelope);
  const metadata = { ...object.metadata, resourceVersion: String(resourceVersion) };
  return { ...object, metadata };
}

export function added(object: object): object {
  return { type: "ADDED", object };
}

export function bookmark(resourceVersion: number): object {
  return { type: "BOOKMARK", object: { metadata: { resourceVersion: String(resourceVersion) } } };
}

const defaults: Readonly<Record<ScriptedRequest["verb"], (request: ScriptedRequest) => void>> = {
  create: (request) => answerJson(request, {}, 201),
  list: (request) => answerList(request, 100),
  watch: (request) => startWatch(request),
  delete: (request) => answerJson(request, {}),
  ready: ({ answer }) => answer.end("ok"),
};
