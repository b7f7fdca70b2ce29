/** The cluster that an endpoint means, and how to show it who we are: read from a kubeconfig or a pod, and read again. */

import type { Agent, RequestOptions } from "node:https";
import { WiceError } from "@wice/core";
import type { KubernetesEndpoint } from "./endpoint.ts";
import { printable } from "./status-error.ts";

export interface Cluster {
  /** The API server. */
  readonly server: URL;
  /** Its address for people. */
  readonly where: string;
  readonly namespace: string;
  /** The API server is behind a proxy, which the agent of the request options knows. */
  readonly proxied: boolean;
  /** Certificates and headers for the next request. They are read anew after a minute, since tokens are rotated. */
  authentication(): Promise<Authentication>;
}

export interface Authentication extends Pick<RequestOptions, "ca" | "cert" | "key" | "auth" | "rejectUnauthorized"> {
  readonly servername?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: Agent;
}

/** What we use of @kubernetes/client-node, whose own declarations need those of half a dozen other packages. */
interface KubeConfig {
  loadFromCluster(pathPrefix: string): void;
  loadFromDefault(): void;
  loadFromFile(file: string): void;
  getContexts(): readonly { readonly name: string }[];
  getCurrentContext(): string;
  setCurrentContext(context: string): void;
  getContextObject(name: string): { readonly namespace?: string } | null;
  getCurrentCluster(): { readonly server: string; readonly proxyUrl?: string } | null;
  applyToHTTPSOptions(options: RequestOptions): Promise<void>;
}

/** What client-go waits, too, before it reads a token's file again. */
const freshMs = 60_000;

/**
 * Rejects with `unsupported` where @kubernetes/client-node is not installed, and with `invalid-file` where there is no
 * usable configuration.
 *
 * @param podRoot in place of `/`, where a pod finds its ServiceAccount
 */
export async function openCluster(endpoint: KubernetesEndpoint, podRoot = ""): Promise<Cluster> {
  const config = await load(endpoint, podRoot);
  const { context = config.getCurrentContext() } = endpoint;
  config.setCurrentContext(context);
  const chosen = config.getContextObject(context);
  const cluster = config.getCurrentCluster();
  if (chosen === null || cluster === null) {
    const known = config.getContexts().map(({ name }) => name);
    throw unusable(
      `${nameOf(endpoint)} has no ${context ? `context ${context}` : "current context"} with a cluster; it has ${known.length === 0 ? "none" : known.join(", ")}`,
    );
  }
  let server: URL;
  try {
    server = new URL(cluster.server);
  } catch {
    throw unusable(`${nameOf(endpoint)} names no URL of an API server`);
  }
  let latest: { readonly authentication: Promise<Authentication>; readonly atMs: number } | undefined;
  return {
    server,
    where: server.host,
    namespace: endpoint.namespace ?? (chosen.namespace?.trim() || "default"),
    proxied: cluster.proxyUrl !== undefined && cluster.proxyUrl !== "",
    authentication() {
      const now = performance.now();
      if (latest === undefined || now - latest.atMs > freshMs) {
        latest = { authentication: authenticate(config, endpoint), atMs: now };
        latest.authentication.catch(() => {
          latest = undefined;
        });
      }
      return latest.authentication;
    },
  };
}

async function load(endpoint: KubernetesEndpoint, podRoot: string): Promise<KubeConfig> {
  const { KubeConfig } = await importClient();
  const config = new KubeConfig();
  const { source } = endpoint;
  if (source === "incluster" && !process.env.KUBERNETES_SERVICE_HOST) {
    throw unusable(
      "this is no pod: KUBERNETES_SERVICE_HOST is not set; outside of a cluster, write k8s:///path/to/kubeconfig",
    );
  }
  try {
    if (source === "incluster") config.loadFromCluster(podRoot);
    else if (source === "default") config.loadFromDefault();
    else config.loadFromFile(source.kubeconfig);
  } catch (cause) {
    throw unusable(`${nameOf(endpoint)} ${whyUnreadable(cause)}`);
  }
  // What the library assumes where it finds nothing.
  if (source === "default" && config.getCurrentCluster()?.server === "http://localhost:8080") {
    throw unusable("there is no kubeconfig: set KUBECONFIG, or write k8s:///path/to/kubeconfig");
  }
  return config;
}

async function authenticate(config: KubeConfig, endpoint: KubernetesEndpoint): Promise<Authentication> {
  const options: RequestOptions & { servername?: string } = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (cause) {
    throw unusable(`the credentials that ${nameOf(endpoint)} names cannot be had: ${whyNoCredentials(cause)}`);
  }
  const headers = Object.fromEntries(
    // A token in a file often ends with a line break, which no header may hold.
    Object.entries(options.headers ?? {}).map(([name, value]) => [name, String(value).trim()]),
  );
  const { ca, cert, key, auth, rejectUnauthorized, servername, agent } = options;
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(auth != null && { auth }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    ...(servername !== undefined && { servername }),
    headers,
    agent: agent as Agent,
  };
}

/** An optional peer, and half a second to load: only when the first call needs it. */
async function importClient(): Promise<{ readonly KubeConfig: new () => KubeConfig }> {
  // Not a literal, so that nobody's compiler looks for what may not be installed.
  const name: string = "@kubernetes/client-node";
  try {
    return (await import(name)) as { readonly KubeConfig: new () => KubeConfig };
  } catch (cause) {
    throw new WiceError("unsupported", `signaling through Kubernetes needs one more package: npm install ${name}`, {
      cause,
    });
  }
}

function nameOf({ source }: KubernetesEndpoint): string {
  if (source === "incluster") return "the pod's ServiceAccount";
  return source === "default" ? "the kubeconfig" : `the kubeconfig ${source.kubeconfig}`;
}

/** Parsers quote what they could not read, which may be a secret: they are neither quoted nor a cause. */
function whyUnreadable(cause: unknown): string {
  const { name, code, mark, message } = cause as NodeJS.ErrnoException & { readonly mark?: { readonly line?: number } };
  if (name === "YAMLException") return `is no YAML (line ${(mark?.line ?? 0) + 1})`;
  return code === undefined ? `is incomplete: ${printable(message)}` : `cannot be read (${code})`;
}

function whyNoCredentials(cause: unknown): string {
  if (cause instanceof SyntaxError) return "what its program for credentials printed is no JSON";
  // What such a program writes to people.
  return printable((cause as Error).message).trim() || "no reason is given";
}

function unusable(text: string): WiceError {
  return new WiceError("invalid-file", text);
}
