import { type Backend, createBackend } from "@wice/core";
import { backendCompliance, transportCompliance } from "@wice/core/testing";
import { createKubernetesTransport, type KubernetesTransport } from "@wice/node/kubernetes";
import { describe, type TestContext, test } from "vitest";
import { testCluster } from "./kubernetes-test.ts";

const cluster = testCluster();
let kubeconfigs: readonly string[] = [];

/** Three ServiceAccounts with the shipped Role: whoever connects is the next of them. */
async function needAgents(context: TestContext): Promise<void> {
  const { admin, createMesh } = await cluster(context);
  if (kubeconfigs.length > 0) return;
  const namespace = await createMesh();
  kubeconfigs = await Promise.all(["alice", "bob", "carol"].map((name) => admin.createAgent(namespace, name)));
}

let opened: (KubernetesTransport | Backend)[] = [];

function connect(): KubernetesTransport {
  const transport = createKubernetesTransport({ url: `k8s://${kubeconfigs[opened.length % kubeconfigs.length]}` });
  opened.push(transport);
  return transport;
}

function connectBackend(): Backend {
  const backend = createBackend(connect());
  opened.push(backend);
  return backend;
}

async function teardown(): Promise<void> {
  await Promise.all(opened.map((each) => each.close()));
  opened = [];
}

describe("a transport through the API server", () => {
  const suite = transportCompliance({ setup: async () => ({ connect }), teardown, patienceMs: 15_000 });
  for (const { name, run } of suite) {
    test(name, async (context) => {
      await needAgents(context);
      await run();
    });
  }
});

describe("a backend through the API server", () => {
  const setup = async () => ({ connect: connectBackend });
  for (const { name, run } of backendCompliance({ setup, teardown, patienceMs: 15_000 })) {
    test(name, async (context) => {
      await needAgents(context);
      await run();
    });
  }
});
