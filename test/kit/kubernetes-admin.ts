/** What an administrator does to a cluster for a test: namespaces, manifests, ServiceAccounts with kubeconfigs. */

import { writeFile } from "node:fs/promises";
import { type RequestOptions, request } from "node:https";
import { join } from "node:path";

export interface KubernetesAdmin {
  isReady(): Promise<boolean>;
  /** Rejects with what the API server says when it refuses. @param user to act as */
  send(
    method: string,
    path: string,
    body?: unknown,
    contentType?: string,
    user?: string,
  ): Promise<Record<string, unknown>>;
  /** `kubectl apply -f -` */
  apply(manifests: string): Promise<void>;
  createNamespace(name: string): Promise<void>;
  /** A kubeconfig file of a ServiceAccount, which is made and, by a RoleBinding, given the Role. */
  createAgent(namespace: string, name: string, role?: string): Promise<string>;
  /** A fresh token of a ServiceAccount. */
  createToken(namespace: string, name: string): Promise<string>;
  /** Writes a kubeconfig file and returns its path. */
  writeKubeconfig(name: string, token: string, namespace: string): Promise<string>;
}

export interface AdminAccess {
  readonly server: string;
  /** In PEM, for the kubeconfigs of agents. */
  readonly ca: string;
  /** Certificates and headers of the administrator. */
  credentials(): Promise<Pick<RequestOptions, "ca" | "cert" | "key" | "headers">>;
  /** Where kubeconfigs are written. */
  readonly folder: string;
}

/** The path of a kind's collection, as far as our manifests use it. */
const collections: Readonly<Record<string, (namespace: string) => string>> = {
  CustomResourceDefinition: () => "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
  ServiceAccount: (namespace) => `/api/v1/namespaces/${namespace}/serviceaccounts`,
  Role: (namespace) => `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`,
  RoleBinding: (namespace) => `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`,
  Deployment: (namespace) => `/apis/apps/v1/namespaces/${namespace}/deployments`,
};

export function createKubernetesAdmin({ server, ca, credentials, folder }: AdminAccess): KubernetesAdmin {
  const send: KubernetesAdmin["send"] = async (method, path, body, contentType = "application/json", user = "") => {
    const { headers: ours, ...tls } = await credentials();
    return await new Promise((resolve, reject) => {
      const text = typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body);
      const headers = {
        ...(ours as Record<string, string>),
        ...(text !== "" && { "content-type": contentType }),
        ...(user !== "" && { "impersonate-user": user }),
      };
      const outgoing = request(`${server}${path}`, { ...tls, method, headers, agent: false }, async (incoming) => {
        let answer = "";
        try {
          for await (const chunk of incoming.setEncoding("utf8")) answer += chunk as string;
        } catch (error) {
          return reject(error);
        }
        if ((incoming.statusCode ?? 500) > 299) return reject(new Error(`${method} ${path}: ${answer}`));
        resolve(answer.startsWith("{") ? (JSON.parse(answer) as Record<string, unknown>) : { answer });
      });
      outgoing.once("error", reject);
      outgoing.end(text);
    });
  };
  const namespaced = (namespace: string): string => `/api/v1/namespaces/${namespace}`;

  const admin: KubernetesAdmin = {
    isReady: () => send("GET", "/readyz").then(({ answer }) => answer === "ok"),
    send,
    async apply(manifests) {
      for (const document of manifests.split(/^---$/m)) {
        const kind = /^kind: (\w+)$/m.exec(document)?.[1] ?? "";
        const name = /^ {2}name: (\S+)$/m.exec(document)?.[1];
        const namespace = /^ {2}namespace: (\S+)$/m.exec(document)?.[1] ?? "";
        const collection = collections[kind]?.(namespace);
        if (collection === undefined || name === undefined) throw new Error(`what is this?\n${document}`);
        const path = `${collection}/${name}?fieldManager=test&fieldValidation=Strict`;
        await send("PATCH", path, document, "application/apply-patch+yaml");
      }
    },
    async createNamespace(name) {
      await send("POST", "/api/v1/namespaces", { metadata: { name } });
    },
    async createAgent(namespace, name, role = "wice-agent") {
      await send("POST", `${namespaced(namespace)}/serviceaccounts`, { metadata: { name } });
      await send("POST", collections.RoleBinding?.(namespace) ?? "", {
        metadata: { name },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role },
        subjects: [{ kind: "ServiceAccount", name, namespace }],
      });
      return await admin.writeKubeconfig(`${namespace}-${name}`, await admin.createToken(namespace, name), namespace);
    },
    async createToken(namespace, name) {
      const answer = await send("POST", `${namespaced(namespace)}/serviceaccounts/${name}/token`, { spec: {} });
      return (answer.status as { token: string }).token;
    },
    async writeKubeconfig(name, agentToken, namespace) {
      const file = join(folder, `${name}.kubeconfig`);
      const data = Buffer.from(ca).toString("base64");
      // JSON is YAML.
      const config = {
        apiVersion: "v1",
        kind: "Config",
        "current-context": name,
        contexts: [{ name, context: { cluster: name, user: name, namespace } }],
        clusters: [{ name, cluster: { server, "certificate-authority-data": data } }],
        users: [{ name, user: { token: agentToken } }],
      };
      await writeFile(file, JSON.stringify(config), { mode: 0o600 });
      return file;
    },
  };
  return admin;
}
