/** The programs of a Kubernetes control plane: Debian's etcd, and an API server that is built once for all runs. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { access, constants, copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { lock } from "./go-build.ts";
import { findGo } from "./install-go.ts";

export interface KubernetesServer {
  readonly etcd: string;
  readonly apiserver: string;
}

/** What is built where nothing else is asked for. */
const defaultVersion = "1.34.4";
const sources: string = join(import.meta.dirname, "..", "kubernetes", "apiserver");
const packagePath = "k8s.io/kubernetes/cmd/kube-apiserver";

/** The version that `WICE_TEST_KUBERNETES` asks for, or else the default. */
function kubernetesVersion(): string {
  return process.env.WICE_TEST_KUBERNETES || defaultVersion;
}

/** What runs here, or why it does not. Builds nothing. */
export async function findKubernetesServer(): Promise<KubernetesServer | string> {
  const etcd = await findEtcd();
  if (etcd === undefined) return "no etcd: run `npm run setup` (Debian: etcd-server)";
  const apiserver = await binaryPath();
  return (await isExecutable(apiserver))
    ? { etcd, apiserver }
    : `no kube-apiserver ${kubernetesVersion()}: run \`npm run setup\``;
}

/**
 * Builds the API server into the user's cache folder, unless it is there. Downloads its Go modules the first time.
 * About four minutes on two cores.
 */
export async function buildApiserver(say: (line: string) => void): Promise<void> {
  const binary = await binaryPath();
  if (await isExecutable(binary)) return;
  const go = await findGo();
  if (go === undefined) throw new Error("no Go to build kube-apiserver with");
  await mkdir(cacheFolder(), { recursive: true });
  const unlock = await lock(`${binary}.lock`);
  try {
    if (!(await isExecutable(binary))) await build(go, binary, say);
  } finally {
    await unlock();
  }
}

async function build(go: string, binary: string, say: (line: string) => void): Promise<void> {
  const version = kubernetesVersion();
  const env = { ...process.env, CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly", GOWORK: "off" };
  let cwd = sources;
  if (version !== defaultVersion) {
    cwd = `${binary}.module`;
    await mkdir(cwd, { recursive: true });
    await writeFile(join(cwd, "go.mod"), moduleOf(await readFile(join(sources, "go.mod"), "utf8"), version));
    await copyFile(join(sources, "go.sum"), join(cwd, "go.sum"));
    say(`kube-apiserver ${version}: resolving modules`);
    await runGo(go, ["mod", "tidy"], { cwd, env: { ...env, GOFLAGS: "" } }, () => {});
  }
  const unfinished = `${binary}-${process.pid}`;
  const start = performance.now();
  let packages = 0;
  const tell = (): void => {
    const seconds = Math.round((performance.now() - start) / 1000);
    say(
      `kube-apiserver ${version}: ${packages} packages compiled of about 1,500 (${seconds} s; 4 minutes on two cores)`,
    );
  };
  tell();
  const timer = setInterval(tell, 15_000);
  try {
    // Without its symbols it is a third smaller, and links faster.
    const args = ["build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", unfinished, packagePath];
    await runGo(go, args, { cwd, env }, (line) => {
      if (!line.startsWith("go: ")) packages += 1;
    });
  } finally {
    clearInterval(timer);
  }
  await rename(unfinished, binary);
  if (cwd !== sources) await rm(cwd, { recursive: true });
  say(`kube-apiserver ${version}: built in ${Math.round((performance.now() - start) / 1000)} s`);
}

/** The module with another version, without what follows from it: Kubernetes 1.x.y is v0.x.y in its libraries. */
function moduleOf(goMod: string, version: string): string {
  const head = goMod.slice(0, goMod.indexOf("require ("));
  const replaces = /^replace \([^)]*\)/m.exec(goMod)?.[0] ?? "";
  const [from, to] = [defaultVersion, version].map((each) => each.replace(/^1\./, "v0."));
  return `${head}require k8s.io/kubernetes v${version}\n\n${replaces.replaceAll(from ?? "", to ?? "")}\n`;
}

function runGo(
  go: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
  onLine: (line: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(go, args, { ...options, stdio: ["ignore", "ignore", "pipe"] });
    const last: string[] = [];
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      for (const line of text.split("\n").filter((each) => each !== "")) {
        onLine(line);
        last.push(line);
        if (last.length > 20) last.shift();
      }
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`go ${args.join(" ")} ended with ${code}:\n${last.join("\n")}`));
    });
  });
}

/** Outside of the repository, so that every clone and every run finds it. Changes with what is built. */
async function binaryPath(): Promise<string> {
  const module = await readFile(join(sources, "go.mod"), "utf8");
  const fingerprint = createHash("sha256").update(module).digest("hex").slice(0, 12);
  return join(cacheFolder(), `kube-apiserver-${kubernetesVersion()}-${fingerprint}`);
}

function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "wice", "kubernetes");
}

async function findEtcd(): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const etcd = join(folder, "etcd");
    if (folder !== "" && (await isExecutable(etcd))) return etcd;
  }
  return undefined;
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
