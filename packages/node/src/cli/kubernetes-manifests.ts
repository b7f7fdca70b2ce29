/** `wice kubernetes manifests` */

import { isWiceError } from "@wice/core";
import { kubernetesManifests } from "../kubernetes/manifests.ts";
import { type Command, defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { UsageError } from "./usage-error.ts";

export const manifests: Command = defineCommand({
  name: "kubernetes manifests",
  summary: "print what a cluster needs for signaling, for kubectl apply",
  positionals: [],
  options: {
    namespace: { value: "NAME", help: "where agents signal (default); the namespace must exist" },
  },
  about: [
    "Prints the custom resource that envelopes are, and a ServiceAccount wice-agent with\na Role that allows just what agents need: to create, list, watch and delete\nenvelopes in one namespace. The custom resource is the cluster's: installing it\ntakes an administrator, and deleting it takes it from every namespace. Agents need\nonly the Role.",
  ],
  examples: [
    "wice kubernetes manifests --namespace mesh | kubectl apply -f -",
    "wice kubernetes manifests --namespace mesh | kubectl delete -f -",
  ],
  async run({ options, out }) {
    try {
      const { namespace } = options;
      await out.line((await kubernetesManifests({ ...(namespace !== undefined && { namespace }) })).trimEnd());
    } catch (error) {
      if (isWiceError(error, "invalid-argument")) throw new UsageError(`--namespace: ${error.message}`);
      throw error;
    }
    return exitCode.ok;
  },
});
