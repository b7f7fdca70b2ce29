/** A cluster for the tests of one file: ours, or the user's, or the reason why there is none. */

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kubernetesManifests } from "@wice/node/kubernetes";
import { afterAll, inject, type TestContext } from "vitest";
import { createKubernetesAdmin, type KubernetesAdmin } from "../kit/kubernetes-admin.ts";
import { adminOf, type KubernetesCluster, startKubernetesCluster } from "../kit/kubernetes-cluster.ts";
import { findKubernetesServer } from "../kit/kubernetes-server.ts";

export interface TestCluster {
  readonly admin: KubernetesAdmin;
  /** False where the tests run in the user's. */
  readonly isOurs: boolean;
  /** A new namespace with the shipped manifests applied; it is removed after the tests of the file. */
  createMesh(): Promise<string>;
}

/** One that the file may stop. */
export interface OwnCluster extends TestCluster {
  readonly own: KubernetesCluster;
}

/**
 * The cluster that all files share. Call it at the top of a file; the function that it returns skips the test with the
 * reason where there is none.
 */
export function testCluster(): (context: TestContext) => Promise<TestCluster> {
  return once(async () => {
    const theirs = process.env.WICE_TEST_KUBECONFIG;
    const access = inject("cluster");
    if (!theirs && typeof access === "string") return access;
    return await open(async (folder) => {
      const admin =
        typeof access === "string" ? await adminByKubeconfig(theirs ?? "", folder) : adminOf(access, folder);
      return { admin, isOurs: !theirs, close: async () => {} };
    });
  });
}

/** A cluster of the file's own, which starts with the first call. */
export function ownCluster(): (context: TestContext) => Promise<OwnCluster> {
  return once(async () => {
    if (process.env.WICE_TEST_KUBECONFIG) return "stops the API server, which is not ours to do";
    const server = await findKubernetesServer();
    if (typeof server === "string") return server;
    return await open(async () => {
      const own = await startKubernetesCluster(server);
      return { admin: own.admin, isOurs: true, own, close: () => own.close() };
    });
  });
}

interface Opened<T> {
  readonly cluster: T;
  close(): Promise<void>;
}

/** Opens with the first call, and closes after the tests of the file. */
function once<T>(start: () => Promise<Opened<T> | string>): (context: TestContext) => Promise<T> {
  let started: Promise<Opened<T> | string> | undefined;
  afterAll(async () => {
    const opened = await started;
    if (typeof opened === "object") await opened.close();
  });
  return async (context) => {
    started ??= start();
    const opened = await started;
    return typeof opened === "string" ? context.skip(opened) : opened.cluster;
  };
}

async function open<T extends Omit<TestCluster, "createMesh"> & { close(): Promise<void> }>(
  connect: (folder: string) => Promise<T>,
): Promise<Opened<T & TestCluster>> {
  const folder = await mkdtemp(join(tmpdir(), "wice-kubeconfig-"));
  const connected = await connect(folder);
  const { admin, isOurs } = connected;
  const namespaces: string[] = [];
  return {
    cluster: {
      ...connected,
      async createMesh() {
        const namespace = `wice-test-${randomBytes(4).toString("hex")}`;
        await admin.createNamespace(namespace);
        namespaces.push(namespace);
        await admin.apply(await kubernetesManifests({ namespace }));
        return namespace;
      },
    },
    async close() {
      if (!isOurs) for (const name of namespaces) await admin.send("DELETE", `/api/v1/namespaces/${name}`);
      await connected.close();
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
async function adminByKubeconfig(kubeconfig: string, folder: string): Promise<KubernetesAdmin> {
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
