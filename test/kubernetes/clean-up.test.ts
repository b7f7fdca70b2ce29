import { generatePrivateKey, randomBytes } from "@wice/core";
import { createKubernetesTransport } from "@wice/node/kubernetes";
import { expect, onTestFinished, test } from "vitest";
import { testCluster } from "./kubernetes-test.ts";

const cluster = testCluster();

test("what a dead agent left, any other removes, past what a finalizer keeps", async (context) => {
  const { admin, createMesh } = await cluster(context);
  const namespace = await createMesh();
  const path = `/apis/cunicu.li/v1/namespaces/${namespace}/signalingenvelopes`;
  const leave = async (name: string, finalizers: readonly string[] = []): Promise<void> => {
    const base64 = (count: number): string => Buffer.from(randomBytes(count)).toString("base64");
    await admin.send("POST", path, {
      ...{ apiVersion: "cunicu.li/v1", kind: "SignalingEnvelope", metadata: { name, finalizers } },
      ...{ sender: `${generatePrivateKey().publicKey}`, recipient: `${generatePrivateKey().publicKey}` },
      contents: { body: base64(40), nonce: base64(24) },
    });
  };
  const left = async (): Promise<string[]> => {
    const { items } = (await admin.send("GET", path)) as { items?: { metadata: { name: string } }[] };
    return (items ?? []).map(({ metadata }) => metadata.name);
  };
  // It comes first, in everybody's look.
  await leave("000-kept", ["example.org/kept"]);
  for (const name of ["left-1", "left-2", "left-3"]) await leave(name);
  onTestFinished(async () => {
    const patch = { metadata: { finalizers: null } };
    await admin.send("PATCH", `${path}/000-kept`, patch, "application/merge-patch+json").catch(() => {});
  });
  expect(await left()).toHaveLength(4);

  const options = { lifetimeMs: 1_000, sweepIntervalMs: 300, maxSweptEnvelopes: 1 };
  const url = `k8s://${await admin.createAgent(namespace, "agent")}`;
  const transport = createKubernetesTransport({ ...options, url });
  onTestFinished(() => transport.close());
  await transport.subscribe(generatePrivateKey().publicKey);
  await expect.poll(left, { timeout: 20_000 }).toEqual(["000-kept"]);
});
