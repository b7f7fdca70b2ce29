/** A cluster for the tests of one file: ours, or the user's, or the reason why there is none. */

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kubernetesManifests } from "@wice/node/kubernetes";
import { afterAll, type TestContext } from "vitest";
import { createKubernetesAdmin, type KubernetesAdmin } from "../kit/kubernetes-admin.ts";
import { type KubernetesCluster, startKubernetesCluster } from "../kit/kubernetes-cluster.ts";
import { findKubernetesServer } from "../kit/kubernetes-server.ts";

export interface TestCluster {
  readonly admin: KubernetesAdmin;
  /** What only a cluster of our own lets us do; undefined where the tests run in the user's. */
  readonly own: KubernetesCluster | undefined;
  /** A new namespace with the shipped manifests applied; it is removed after the tests of the file. */
  createMesh(): Promise<string>;
}

/**
 * Call it at the top of a file; the function that it returns starts the cluster with its first call, and skips the test
 * with the reason where there is none.
 */
export function testCluster(): (context: TestContext) => Promise<TestCluster> {
  let started: Promise<{ cluster: TestCluster; close(): Promise<void> } | string> | undefined;
  afterAll(async () => {
    const opened = await started;
    if (typeof opened === "object") await opened.close();
  });
  return async (context) => {
    started ??= open();
    const opened = await started;
    return typeof opened === "string" ? context.skip(opened) : opened.cluster;
  };
}

/** The same, for tests that restart the API server. */
export function ownCluster(): (context: TestContext) => Promise<TestCluster & { readonly own: KubernetesCluster }> {
  const cluster = testCluster();
  return async (context) => {
    const { own, ...rest } = await cluster(context);
    return own === undefined ? context.skip("restarts the API server, which is not ours to do") : { ...rest, own };
  };
}

async function open(): Promise<{ cluster: TestCluster; close(): Promise<void> } | string> {
  const theirs = process.env.WICE_TEST_KUBECONFIG;
  const server = theirs ? undefined : await findKubernetesServer();
  if (typeof server === "string") return server;
  const own = server === undefined ? undefined : await startKubernetesCluster(server);
  const folder = await mkdtemp(join(tmpdir(), "wice-kubeconfig-"));
  const admin = own?.admin ?? (await adminOf(theirs ?? "", folder));
  const namespaces: string[] = [];
  return {
    cluster: {
      admin,
      own,
      async createMesh() {
        const namespace = `wice-test-${randomBytes(4).toString("hex")}`;
        await admin.createNamespace(namespace);
        namespaces.push(namespace);
        await admin.apply(await kubernetesManifests({ namespace }));
        return namespace;
      },
    },
    async close() {
      if (own === undefined) for (const name of namespaces) await admin.send("DELETE", `/api/v1/namespaces/${name}`);
      await own?.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface KubeConfig {
  loadFromFile(file: string): void;
  getCurrentCluster(): { readonly server: string } | null;
  applyToHTTPSOptions(options: object): Promise<void>;
}

/** The administrator that a kubeconfig describes. */
async function adminOf(kubeconfig: string, folder: string): Promise<KubernetesAdmin> {
  // Not a literal: its declarations need those of packages that are not installed.
  const client: string = "@kubernetes/client-node";
  const { KubeConfig } = (await import(client)) as { readonly KubeConfig: new () => KubeConfig };
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new Error(`${kubeconfig} has no current cluster`);
  const credentials = async (): Promise<{ ca?: string; headers?: Record<string, string> }> => {
    const options = {};
    await config.applyToHTTPSOptions(options);
    return options;
  };
  const { ca } = await credentials();
  return createKubernetesAdmin({ server: server.replace(/\/$/, ""), ca: String(ca ?? ""), credentials, folder });
}
