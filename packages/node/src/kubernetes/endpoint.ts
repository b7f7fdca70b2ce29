/** Which cluster, which credentials, which namespace: what a `k8s:` URL says. */

import { WiceError } from "@wice/core";
import { isNamespace } from "./manifests.ts";

/** The scheme that {@link parseKubernetesUrl} reads. */
export const kubernetesScheme = "k8s";

export interface KubernetesEndpoint {
  /** `"incluster"`: the pod's own ServiceAccount. `"default"`: what kubectl would use: `KUBECONFIG`, `~/.kube/config`. */
  readonly source: "incluster" | "default" | { readonly kubeconfig: string };
  /** Undefined: the kubeconfig's, or the pod's own, or else `default`. */
  readonly namespace: string | undefined;
  /** Of the kubeconfig; undefined: its current one. */
  readonly context: string | undefined;
}

/**
 * Reads where to signal through Kubernetes, as upstream writes it:
 *
 * | URL | credentials |
 * |---|---|
 * | `k8s:incluster` | of the pod that the program runs in |
 * | `k8s:///path/to/kubeconfig` | of a kubeconfig file |
 * | `k8s:` | of the kubeconfig that kubectl would use |
 *
 * `?namespace=NS` chooses the namespace, `&context=C` the context of a kubeconfig. Throws `invalid-url` for anything
 * else.
 */
export function parseKubernetesUrl(url: URL): KubernetesEndpoint {
  if (url.protocol !== `${kubernetesScheme}:`) throw invalid(`"${url.protocol}" is not ${kubernetesScheme}:`);
  if (url.host !== "" || url.username !== "" || url.password !== "") {
    throw invalid("it names no host; write three slashes before the path of a kubeconfig, k8s:///path/to/kubeconfig");
  }
  if (url.hash !== "") throw invalid("a fragment has no meaning in it");
  for (const name of url.searchParams.keys()) {
    if (name !== "namespace" && name !== "context") {
      throw invalid(`unknown parameter "${name}"; known are namespace, context`);
    }
  }
  const path = decodeURIComponent(url.pathname);
  const source = path === "" || path === "/" ? "default" : path === "incluster" ? "incluster" : { kubeconfig: path };
  if (typeof source === "object" && !path.startsWith("/")) {
    throw invalid("write k8s:incluster, or k8s:///path/to/kubeconfig with the whole path");
  }
  const context = single(url, "context");
  if (context !== undefined && source === "incluster") throw invalid("a context belongs to a kubeconfig");
  const namespace = single(url, "namespace");
  if (namespace !== undefined && !isNamespace(namespace)) {
    throw invalid("a namespace is at most 63 small letters, digits and dashes");
  }
  return { source, namespace, context };
}

function single(url: URL, name: string): string | undefined {
  const values = url.searchParams.getAll(name);
  if (values.length > 1) throw invalid(`${name} is given ${values.length} times`);
  if (values[0] === "") throw invalid(`${name} is empty`);
  return values[0];
}

function invalid(why: string): WiceError {
  return new WiceError("invalid-url", `not a URL of a Kubernetes cluster: ${why}`);
}
