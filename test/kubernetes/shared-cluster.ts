/** Before the tests of this suite, once for all files: a cluster for those that do not stop it. */

import type { TestProject } from "vitest/node";
import { type ClusterAccess, startKubernetesCluster } from "../kit/kubernetes-cluster.ts";
import { findKubernetesServer } from "../kit/kubernetes-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Or why there is none. */
    cluster: ClusterAccess | string;
  }
}

export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const server = process.env.WICE_TEST_KUBECONFIG ? "the tests run in the user's" : await findKubernetesServer();
  if (typeof server === "string") {
    provide("cluster", server);
    return async () => {};
  }
  const cluster = await startKubernetesCluster(server);
  provide("cluster", cluster.access);
  return () => cluster.close();
}
