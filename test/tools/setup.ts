/**
 * `npm run setup`: what the tests need beside npm's packages. Quick when all is there.
 *
 * As root on Debian or Ubuntu it installs what is missing; elsewhere it says what to install, and the suites that need
 * it are skipped with that reason. With CI=true a missing part fails.
 */

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { findChromium } from "../kit/chromium.ts";
import { buildGo } from "../kit/go-build.ts";
import { ensureGo } from "../kit/install-go.ts";
import { buildApiserver } from "../kit/kubernetes-server.ts";
import { run, seconds } from "./command.ts";

interface Program {
  readonly command: string;
  readonly debianPackage: string;
  readonly neededFor: string;
  /** Where it may also have another name. */
  readonly isThere?: () => boolean;
}

const lab = "the laboratory of networks, which runs as root";

/** To add a program, add a line. */
const programs: readonly Program[] = [
  { command: "git", debianPackage: "git", neededFor: "npm run check" },
  { command: "openssl", debianPackage: "openssl", neededFor: "certificates of the TLS tests" },
  { command: "etcd", debianPackage: "etcd-server", neededFor: "the tests over a Kubernetes API server" },
  { command: "ip", debianPackage: "iproute2", neededFor: lab, isThere: () => isInstalledForRoot("ip") },
  { command: "nft", debianPackage: "nftables", neededFor: lab, isThere: () => isInstalledForRoot("nft") },
  { command: "turnserver", debianPackage: "coturn", neededFor: lab, isThere: () => isInstalledForRoot("turnserver") },
  { command: "ping", debianPackage: "iputils-ping", neededFor: lab, isThere: () => isInstalledForRoot("ping") },
  { command: "wg", debianPackage: "wireguard-tools", neededFor: lab, isThere: () => isInstalledForRoot("wg") },
  {
    command: "wireguard-go",
    debianPackage: "wireguard-go",
    neededFor: lab,
    isThere: () => isInstalledForRoot("wireguard-go"),
  },
  { command: "iperf3", debianPackage: "iperf3", neededFor: lab, isThere: () => isInstalledForRoot("iperf3") },
  { command: "redis-server", debianPackage: "redis-server", neededFor: "the test of a transport of one's own" },
  { command: "chromium", debianPackage: "chromium", neededFor: "the tests in a browser", isThere: hasChromium },
];

function hasChromium(): boolean {
  return findChromium() !== undefined;
}

async function installPrograms(): Promise<void> {
  const isThere = (program: Program): boolean => program.isThere?.() ?? isInstalled(program.command);
  const absent = programs.filter((program) => !isThere(program));
  if (absent.length > 0 && process.getuid?.() === 0 && isInstalled("apt-get")) {
    const packages = absent.map(({ debianPackage }) => debianPackage);
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    await run("apt-get", ["update", "-qq"], { env });
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], { env });
  }
  const missing = programs.filter((program) => !isThere(program));
  if (missing.length === 0) return;
  const lines = missing.map((program) => `install ${program.debianPackage}, for ${program.neededFor}`);
  throw new Error(lines.join("\n"));
}

/** The independent peer of the interoperability tests is Go: its modules are downloaded and compiled once, here. */
async function buildGoPeer(): Promise<void> {
  await ensureGo();
  await buildGo();
}

/** The API server of the Kubernetes tests, into the user's cache folder: minutes the first time, nothing afterwards. */
async function buildKubernetes(): Promise<void> {
  await ensureGo();
  await buildApiserver((line) => console.log(`  ${line}`));
}

/** What only root uses may lie where nobody else looks. Only Linux has any of it. */
function isInstalledForRoot(command: string): boolean {
  return process.platform !== "linux" || isInstalled(command, ["/usr/sbin", "/sbin"]);
}

function isInstalled(command: string, furtherFolders: readonly string[] = []): boolean {
  return [...(process.env.PATH ?? "").split(delimiter), ...furtherFolders].some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const parts = [
  { name: "programs", install: installPrograms },
  { name: "Go peer", install: buildGoPeer },
  { name: "Kubernetes API server", install: buildKubernetes },
];

for (const { name, install } of parts) {
  const start = performance.now();
  try {
    await install();
    console.log(`  ok      ${name} (${seconds(start)})`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.log(`  MISSING ${name} (${seconds(start)})\n${reason.replace(/^/gm, "    ")}`);
    if (process.env.CI === "true") process.exitCode = 1;
  }
}
