/** What a cluster needs before agents can signal through it, as YAML for `kubectl apply -f -`. */

import { readFile } from "node:fs/promises";
import { WiceError } from "@wice/core";

/**
 * The custom resource, and a ServiceAccount `wice-agent` with the least rights, for one namespace. The namespace itself is
 * not among it.
 *
 * Throws `invalid-argument` where no namespace can have that name.
 */
export async function kubernetesManifests({
  namespace = "default",
}: {
  readonly namespace?: string;
} = {}): Promise<string> {
  if (!isNamespace(namespace)) {
    throw new WiceError("invalid-argument", "a namespace is at most 63 small letters, digits and dashes");
  }
  const files = await Promise.all(["crd.yaml", "rbac.yaml"].map((name) => readFile(manifest(name), "utf8")));
  return files.join("---\n").replaceAll(/^( +)namespace: default$/gm, `$1namespace: ${namespace}`);
}

/** An RFC 1123 label. */
export function isNamespace(name: string): boolean {
  return /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name);
}

/** Two folders up both for sources and for what is published. */
function manifest(name: string): URL {
  return new URL(`../../manifests/${name}`, import.meta.url);
}
