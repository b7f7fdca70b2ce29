/** Kubernetes clusters by URL, for a registry of transports. */

import type { TransportFactory } from "@wice/core";
import { kubernetesScheme } from "./endpoint.ts";
import type { KubernetesClientOptions } from "./options.ts";
import { createKubernetesTransport } from "./transport.ts";

/** Opens `k8s:` URLs, in the forms that {@link parseKubernetesUrl} describes. The options hold for every transport. */
export function kubernetesFactory(options: KubernetesClientOptions = {}): TransportFactory {
  return {
    schemes: [kubernetesScheme],
    open: (url) => createKubernetesTransport({ ...options, url: url.href }),
  };
}
