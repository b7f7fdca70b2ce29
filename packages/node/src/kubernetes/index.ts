/** `@wice/node/kubernetes`: signaling through the API server of a Kubernetes cluster. */

export { type KubernetesEndpoint, parseKubernetesUrl } from "./endpoint.ts";
export { kubernetesFactory } from "./factory.ts";
export { kubernetesManifests } from "./manifests.ts";
export type { KubernetesClientOptions, KubernetesTransportOptions } from "./options.ts";
export { createKubernetesTransport, type KubernetesDropped, type KubernetesTransport } from "./transport.ts";
