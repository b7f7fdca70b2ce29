/** WireGuard in a machine of the laboratory: wireguard-go, since its kernel may have none. */

import { randomBytes } from "node:crypto";
import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Machine } from "./lab.ts";

export interface TunnelOptions {
  /** Of this end, within the tunnel. */
  readonly address: string;
  /** Where it listens for WireGuard's datagrams, on all addresses of the machine. */
  readonly port: number;
  readonly privateKey: string;
  readonly peer: {
    readonly publicKey: string;
    readonly address: string;
    /** host:port; undefined where the peer speaks first. */
    readonly endpoint: string | undefined;
  };
}

export interface WireguardInterface extends AsyncDisposable {
  readonly name: string;
}

/** In place of `ip link add NAME type wireguard`. */
export async function createInterface(machine: Machine): Promise<WireguardInterface> {
  // All namespaces share the folder in which it is configured.
  const name = `wice-${randomBytes(4).toString("hex")}`;
  const socket = `/var/run/wireguard/${name}.sock`;
  const child = await machine.start("wireguard-go", ["--foreground", name], {
    env: { ...process.env, LOG_LEVEL: "error" },
  });
  const made: WireguardInterface = {
    name,
    async [Symbol.asyncDispose]() {
      await child.kill();
      await rm(socket, { force: true });
    },
  };
  try {
    await untilThere(socket, () => child.exit === undefined);
    return made;
  } catch (error) {
    await made[Symbol.asyncDispose]();
    throw error;
  }
}

/** Resolves when the interface is up. */
export async function startTunnel(machine: Machine, options: TunnelOptions): Promise<AsyncDisposable> {
  const { address, port, privateKey, peer } = options;
  const folder = await mkdtemp(join(tmpdir(), "wice-wireguard-"));
  const key = join(folder, "key");
  const made = await createInterface(machine);
  const { name } = made;
  try {
    await writeFile(key, privateKey, { mode: 0o600 });
    const endpoint = peer.endpoint === undefined ? [] : ["endpoint", peer.endpoint];
    await machine.run("wg", [
      ...["set", name, "private-key", key, "listen-port", String(port)],
      ...["peer", peer.publicKey, "allowed-ips", `${peer.address}/32`, ...endpoint],
    ]);
    await machine.ip(`address add ${address}/24 dev ${name}`);
    await machine.ip(`link set ${name} up`);
    return made;
  } catch (error) {
    await made[Symbol.asyncDispose]();
    throw error;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function untilThere(path: string, isAlive: () => boolean): Promise<void> {
  for (;;) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) return;
    if (!isAlive()) throw new Error(`wireguard-go has ended before there was ${path}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Megabits per second that come through, of TCP. */
export async function measure(from: Machine, to: Machine, address: string, seconds: number): Promise<number> {
  const server = await to.start("iperf3", ["--server", "--bind", address, "--one-off", "--forceflush"]);
  await server.until("text", ({ text }) => String(text).includes("Server listening"));
  const report = JSON.parse(await from.run("iperf3", ["--client", address, "--time", String(seconds), "--json"]));
  return report.end.sum_received.bits_per_second / 1e6;
}
