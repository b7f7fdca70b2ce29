import { readFile, writeFile } from "node:fs/promises";
import { type Backend, createBackend, generatePrivateKey, type PrivateKey, PublicKey } from "@wice/core";
import { createKubernetesTransport, type KubernetesClientOptions } from "@wice/node/kubernetes";
import { expect, onTestFinished, type TestContext, test } from "vitest";
import { createTcpProxy, type TcpProxy } from "../kit/tcp-proxy.ts";
import { testCluster } from "./kubernetes-test.ts";

const cluster = testCluster();

interface Agent {
  readonly key: PrivateKey;
  readonly backend: Backend;
}

/** Alice, who sends, and bob, who reaches the API server through a proxy. */
interface Pair {
  readonly proxy: TcpProxy;
  /** What bob got, in order. */
  readonly received: string[];
  send(text: string): Promise<unknown>;
}

async function meet(context: TestContext, options: KubernetesClientOptions = {}): Promise<Pair> {
  const { admin, isOurs, createMesh } = await cluster(context);
  if (!isOurs) return context.skip("the name in its certificate is not that of the proxy");
  const namespace = await createMesh();
  const [direct, behind] = [await admin.createAgent(namespace, "alice"), await admin.createAgent(namespace, "bob")];
  const config = JSON.parse(await readFile(behind, "utf8"));
  const server = new URL(config.clusters[0].cluster.server);
  const proxy = await createTcpProxy({ target: { port: Number(server.port) } });
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  config.clusters[0].cluster.server = `https://${proxy.address}`;
  await writeFile(behind, JSON.stringify(config));
  const agent = (kubeconfig: string, more: KubernetesClientOptions = {}): Agent => {
    const backend = createBackend(createKubernetesTransport({ ...more, url: `k8s://${kubeconfig}` }));
    onTestFinished(() => backend.close());
    return { backend, key: generatePrivateKey() };
  };
  const [alice, bob] = [agent(direct), agent(behind, options)];
  const received: string[] = [];
  const subscription = await bob.backend.subscribe({ ours: bob.key, theirs: PublicKey.any });
  void (async () => {
    for await (const { message } of subscription) received.push(new TextDecoder().decode(message.payload));
  })();
  const send = (text: string): Promise<unknown> =>
    alice.backend.publish(
      { ours: alice.key, theirs: bob.key.publicKey },
      { payload: new TextEncoder().encode(text) },
      { until: "delivered", timeoutMs: 50_000 },
    );
  return { proxy, received, send };
}

test("connections that break again and again cost no message, and bring none twice", async (context) => {
  const { proxy, received, send } = await meet(context);
  const sent: string[] = [];
  for (let i = 0; i < 8; i++) {
    const texts = Array.from({ length: 5 }, (_, k) => `${i}.${k}`);
    sent.push(...texts);
    const delivered = Promise.all(texts.map(send));
    proxy.cut({ reset: i % 2 === 0 });
    await delivered;
  }
  expect(received.toSorted()).toEqual(sent.toSorted());
});

test("a watch that died without a word is noticed, and what was said meanwhile arrives", async (context) => {
  const { proxy, received, send } = await meet(context, { silenceTimeoutMs: 1_500, requestTimeoutMs: 1_500 });
  await send("before");
  proxy.blackhole();
  const meanwhile = send("meanwhile");
  await proxy.heal();
  await meanwhile;
  expect(received).toEqual(["before", "meanwhile"]);
});
