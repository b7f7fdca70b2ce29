import { type Backend, createBackend, generatePrivateKey, type PrivateKey, PublicKey } from "@wice/core";
import { createKubernetesTransport } from "@wice/node/kubernetes";
import { expect, onTestFinished, test } from "vitest";
import { ownCluster } from "./kubernetes-test.ts";

const cluster = ownCluster();

interface Agent {
  readonly key: PrivateKey;
  readonly backend: Backend;
  /** Sender and text of every message so far. */
  readonly received: string[];
}

/** One ServiceAccount; its envelopes live for five seconds. */
async function startAgent(kubeconfig: string, key: PrivateKey = generatePrivateKey()): Promise<Agent> {
  const options = { lifetimeMs: 5_000, sweepIntervalMs: 4_000 };
  const backend = createBackend(createKubernetesTransport({ ...options, url: `k8s://${kubeconfig}` }));
  onTestFinished(() => backend.close());
  const subscription = await backend.subscribe({ ours: key, theirs: PublicKey.any });
  const received: string[] = [];
  void (async () => {
    for await (const { sender, message } of subscription) {
      received.push(`${sender} ${new TextDecoder().decode(message.payload)}`);
    }
  })();
  return { key, backend, received };
}

async function send(from: Agent, to: PublicKey, text: string): Promise<void> {
  const payload = new TextEncoder().encode(text);
  await from.backend.publish({ ours: from.key, theirs: to }, { payload }, { until: "delivered", timeoutMs: 150_000 });
}

/** Every agent to every other one; rejects where one message is not delivered. */
async function allPairs(agents: readonly Agent[], text: string): Promise<void> {
  const pairs = agents.flatMap((from) => agents.filter((to) => to !== from).map((to) => ({ from, to })));
  await Promise.all(pairs.map(({ from, to }) => send(from, to.key.publicKey, text)));
  for (const to of agents) {
    const got = to.received.filter((line) => line.endsWith(` ${text}`));
    expect(got.length).toBe(agents.length - 1);
    expect(new Set(got).size).toBe(agents.length - 1);
  }
}

test("20 ServiceAccounts exchange through a restart and a forgotten history, and leave nothing", async (context) => {
  const { admin, own, createMesh } = await cluster(context);
  const namespace = await createMesh();
  const kubeconfigs: string[] = [];
  for (let i = 0; i < 23; i++) kubeconfigs.push(await admin.createAgent(namespace, `agent-${i}`));
  const shared = generatePrivateKey();
  const started = await Promise.all(
    kubeconfigs.map((kubeconfig, i) => startAgent(kubeconfig, i < 20 ? undefined : shared)),
  );
  const [agents, replicas] = [started.slice(0, 20), started.slice(20)];
  const toReplicas = (text: string) => Promise.all(agents.map((agent) => send(agent, shared.publicKey, text)));
  const replicasGot = (text: string) =>
    replicas.map(({ received }) => received.filter((line) => line.endsWith(` ${text}`)).length);

  const noon = await admin.send("GET", `/apis/cunicu.li/v1/namespaces/${namespace}/signalingenvelopes?limit=1`);
  await Promise.all([allPairs(agents, "calm"), toReplicas("calm")]);
  expect(Math.max(...replicasGot("calm"))).toBeGreaterThan(0);

  // While the API server is away, everybody wants to say something, and etcd forgets what was before.
  await own.killApiserver();
  const storm = Promise.allSettled([allPairs(agents, "storm"), toReplicas("storm")]);
  await own.compact();
  await own.startApiserver();
  const { resourceVersion } = noon.metadata as { resourceVersion: string };
  const watch = `watch=true&timeoutSeconds=1&resourceVersion=${resourceVersion}`;
  const history = await admin
    .send("GET", `/apis/cunicu.li/v1/namespaces/${namespace}/signalingenvelopes?${watch}`)
    .then(
      (answer) => JSON.stringify(answer),
      (error: Error) => error.message,
    );
  expect(history).toContain("410");
  expect(await storm).toMatchObject([{ status: "fulfilled" }, { status: "fulfilled" }]);

  // Each message to the shared key went to one of the replicas, at least.
  for (const agent of agents) {
    const line = `${agent.key.publicKey} storm`;
    expect(replicas.some(({ received }) => received.includes(line))).toBe(true);
  }

  const nobody = Array.from({ length: 50 }, () => generatePrivateKey().publicKey);
  const payload = new TextEncoder().encode("anybody?");
  const [agent] = agents as [Agent];
  await Promise.all(nobody.map((theirs) => agent.backend.publish({ ours: agent.key, theirs }, { payload })));
  expect(await own.countEnvelopes()).toBeGreaterThan(0);
  await expect.poll(() => own.countEnvelopes(), { timeout: 30_000, interval: 250 }).toBe(0);
}, 240_000);

test("every replica of a key gets every envelope, though the first one deletes it", async (context) => {
  const { admin, createMesh } = await cluster(context);
  const namespace = await createMesh();
  const shared = generatePrivateKey();
  const replicas = await Promise.all(
    ["a", "b", "c"].map(async (name) => startAgent(await admin.createAgent(namespace, name), shared)),
  );
  const sender = await startAgent(await admin.createAgent(namespace, "sender"));
  for (let i = 0; i < 50; i++) {
    const payload = new TextEncoder().encode(`${i}`);
    await sender.backend.publish({ ours: sender.key, theirs: shared.publicKey }, { payload });
  }
  for (const { received } of replicas) await expect.poll(() => new Set(received).size).toBe(50);
});

test("an agent that closes takes with it what nobody took", async (context) => {
  const { admin, own, createMesh } = await cluster(context);
  const agent = await startAgent(await admin.createAgent(await createMesh(), "agent"));
  const payload = new TextEncoder().encode("anybody?");
  for (let i = 0; i < 10; i++) {
    await agent.backend.publish({ ours: agent.key, theirs: generatePrivateKey().publicKey }, { payload });
  }
  expect(await own.countEnvelopes()).toBe(10);
  await agent.backend.close();
  expect(await own.countEnvelopes()).toBe(0);
});
