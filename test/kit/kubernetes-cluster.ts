/** A Kubernetes control plane of our own: etcd and an API server on free ports, as real as they come, without nodes. */

import { type ChildProcess, spawn } from "node:child_process";
import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createCertificate } from "./certificate.ts";
import { createKubernetesAdmin, type KubernetesAdmin } from "./kubernetes-admin.ts";
import type { KubernetesServer } from "./kubernetes-server.ts";

export interface KubernetesCluster extends AsyncDisposable {
  readonly admin: KubernetesAdmin;
  /** With which anybody on this machine becomes the administrator. */
  readonly access: ClusterAccess;
  /** `host:port` of the API server, the same after a restart. */
  readonly authority: string;
  /** SIGKILL. */
  killApiserver(): Promise<void>;
  /** Resolves when it is ready. */
  startApiserver(): Promise<void>;
  /** Makes etcd forget its history. The API server's own memory of it ends with a restart. */
  compact(): Promise<void>;
  /** How many envelopes etcd holds, in all namespaces. */
  countEnvelopes(): Promise<number>;
  close(): Promise<void>;
}

export interface ClusterAccess {
  readonly server: string;
  /** In PEM. */
  readonly ca: string;
  readonly token: string;
}

/** The administrator of a cluster that somebody has started. */
export function adminOf({ server, ca, token }: ClusterAccess, folder: string): KubernetesAdmin {
  const headers = { authorization: `Bearer ${token}` };
  return createKubernetesAdmin({ server, ca, folder, credentials: async () => ({ ca, headers }) });
}

/** Everything lives in a temporary folder, which `close` removes. */
export async function startKubernetesCluster({ etcd, apiserver }: KubernetesServer): Promise<KubernetesCluster> {
  const folder = await mkdtemp(join(tmpdir(), "wice-kubernetes-"));
  // etcd waits for the disk with every write, which a test has no use for.
  const memory = await mkdtemp("/dev/shm/wice-etcd-").catch(() => folder);
  const [clientPort, peerPort, port] = await freePorts(3);
  const etcdUrl = `http://127.0.0.1:${clientPort}`;
  const token = randomBytes(16).toString("hex");
  const certificate = await createCertificate();
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const files = {
    "server.crt": certificate.cert,
    "server.key": certificate.key,
    "accounts.key": privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    "accounts.pub": createPublicKey(privateKey).export({ type: "spki", format: "pem" }).toString(),
    "tokens.csv": `${token},admin,admin,system:masters\n`,
  };
  const path = (name: string): string => join(folder, name);
  for (const [name, content] of Object.entries(files)) await writeFile(path(name), content, { mode: 0o600 });

  const etcdProcess = startProgram(etcd, [
    ...["--data-dir", join(memory, "etcd"), "--logger", "zap", "--log-level", "error"],
    ...["--listen-client-urls", etcdUrl, "--advertise-client-urls", etcdUrl],
    ...["--listen-peer-urls", `http://127.0.0.1:${peerPort}`],
    ...["--initial-advertise-peer-urls", `http://127.0.0.1:${peerPort}`],
    ...["--initial-cluster", `default=http://127.0.0.1:${peerPort}`],
  ]);
  const access = { server: `https://127.0.0.1:${port}`, ca: certificate.cert, token };
  const admin = adminOf(access, folder);
  let server: Program | undefined;

  const cluster: KubernetesCluster = {
    admin,
    access,
    authority: `127.0.0.1:${port}`,
    async killApiserver() {
      await server?.kill();
      server = undefined;
    },
    async startApiserver() {
      const started = startProgram(apiserver, [
        ...["--etcd-servers", etcdUrl, "--secure-port", String(port), "--bind-address=127.0.0.1"],
        ...["--tls-cert-file", path("server.crt"), "--tls-private-key-file", path("server.key")],
        ...["--cert-dir", folder, "--authorization-mode=RBAC", "--token-auth-file", path("tokens.csv")],
        "--service-account-issuer=https://kubernetes.default.svc",
        ...["--service-account-key-file", path("accounts.pub")],
        ...["--service-account-signing-key-file", path("accounts.key")],
        ...["--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount"],
      ]);
      server = started;
      await until(started, () => admin.isReady());
    },
    async compact() {
      const { header } = (await askEtcd(etcdUrl, "range", { key: base64("/") })) as { header: { revision: string } };
      await askEtcd(etcdUrl, "compaction", { revision: header.revision, physical: true });
    },
    async countEnvelopes() {
      const [key, end] = ["/registry/cunicu.li/signalingenvelopes/", "/registry/cunicu.li/signalingenvelopes0"];
      const query = { key: base64(key), range_end: base64(end), count_only: true };
      const { count } = (await askEtcd(etcdUrl, "range", query)) as { count?: string };
      return Number(count ?? 0);
    },
    async close() {
      await server?.kill();
      await etcdProcess.kill();
      for (const each of [folder, memory]) await rm(each, { recursive: true, force: true });
    },
    [Symbol.asyncDispose]: () => cluster.close(),
  };
  try {
    await until(etcdProcess, () => fetch(`${etcdUrl}/health`).then(({ ok }) => ok));
    await cluster.startApiserver();
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

interface Program {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
}

function startProgram(command: string, args: readonly string[]): Program {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output = `${output}${text}`.slice(-4_000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  // Else a test run that is ended leaves them behind.
  const onExit = (): void => void child.kill("SIGKILL");
  process.once("exit", onExit);
  return {
    child,
    output: () => output,
    async kill() {
      child.kill("SIGKILL");
      await ended;
      process.off("exit", onExit);
    },
  };
}

/** Asks until the answer is yes; rejects with what the program wrote when it ends, or after half a minute. */
async function until({ child, output }: Program, isReady: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isReady().catch(() => false))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      throw new Error(`${child.spawnfile} is not ready:\n${output()}`);
    }
    await sleep(50);
  }
}

async function askEtcd(url: string, call: string, query: object): Promise<unknown> {
  const response = await fetch(`${url}/v3/kv/${call}`, { method: "POST", body: JSON.stringify(query) });
  if (!response.ok) throw new Error(`etcd answered ${response.status} to ${call}: ${await response.text()}`);
  return await response.json();
}

/** Held together, so that all differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
