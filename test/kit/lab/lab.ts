/** A laboratory of network namespaces: machines and the cables between them. Linux only, and as root. */

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { type LinesProcess, spawnLines } from "../lines-process.ts";
import { symmetricNat } from "./rules.ts";

export interface Lab extends AsyncDisposable {
  /** A machine of its own, which has nothing but its loopback interface. It forwards what is not meant for it. */
  machine(name: string): Promise<Machine>;
  /** Lays a cable. Addresses are written as `198.51.100.1/24`, of either family. */
  cable(one: Socket, other: Socket, options?: CableOptions): Promise<void>;
}

/** An end of a cable: the interface that it becomes, and its addresses. */
export interface Socket {
  readonly machine: Machine;
  readonly name: string;
  readonly addresses: readonly string[];
}

export interface CableOptions {
  /** Default 1,500. */
  readonly mtuBytes?: number | undefined;
}

export interface Machine {
  /** Runs `ip` with these words. */
  ip(words: string): Promise<void>;
  /** Adds default routes, of either family. */
  routeBy(...gateways: string[]): Promise<void>;
  /** Loads rules for nftables. */
  rules(text: string): Promise<void>;
  /** Runs a program to its end; resolves with what it printed. */
  run(program: string, args: readonly string[]): Promise<string>;
  /** Starts a program, which ends with the laboratory at the latest. */
  start(
    program: string,
    args: readonly string[],
    options?: { readonly env?: NodeJS.ProcessEnv },
  ): Promise<LinesProcess>;
}

const run = promisify(execFile);
const prefix = "wice-lab";

/** Why there can be no laboratory here; undefined where there can. */
export async function labMissing(programs: readonly string[]): Promise<string | undefined> {
  if (process.platform !== "linux") return "needs network namespaces, which only Linux has";
  if (process.getuid?.() !== 0) return "needs root, for network namespaces";
  for (const program of programs) {
    const found = await run("sh", ["-c", `command -v ${program}`]).then(
      () => true,
      () => false,
    );
    if (!found) return `needs ${program}: run \`npm run setup\``;
  }
  try {
    await using lab = await createLab();
    const machine = await lab.machine("probe");
    await machine.rules(symmetricNat);
    await machine.ip("link add lan0 type bridge");
  } catch (error) {
    return `needs network namespaces with nftables and bridges: ${error instanceof Error ? error.message.split("\n")[0] : error}`;
  }
  return undefined;
}

export async function createLab(): Promise<Lab> {
  await removeLeftOvers();
  const own = `${prefix}-${process.pid}-${randomBytes(3).toString("hex")}`;
  const namespaces = new Map<Machine, string>();
  const processes: LinesProcess[] = [];

  const nameOf = (machine: Machine): string => {
    const name = namespaces.get(machine);
    if (name === undefined) throw new Error("a machine of another laboratory");
    return name;
  };

  return {
    async machine(name) {
      const namespace = `${own}-${name}`;
      await run("ip", ["netns", "add", namespace]);
      const within = ["netns", "exec", namespace];
      const ip: Machine["ip"] = async (words) => {
        await run("ip", ["-n", namespace, ...words.split(" ")]);
      };
      const machine: Machine = {
        ip,
        async routeBy(...gateways) {
          for (const gateway of gateways)
            await ip(`${gateway.includes(":") ? "-6 " : ""}route add default via ${gateway}`);
        },
        async rules(text) {
          const child = run("ip", [...within, "nft", "-f", "-"]);
          child.child.stdin?.end(text);
          await child;
        },
        async run(program, args) {
          const { stdout } = await run("ip", [...within, program, ...args]);
          return stdout;
        },
        async start(program, args, options = {}) {
          const child = await spawnLines("ip", [...within, program, ...args], options);
          processes.push(child);
          return child;
        },
      };
      namespaces.set(machine, namespace);
      await ip("link set lo up");
      await run("ip", [...within, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
      return machine;
    },
    async cable(one, other, { mtuBytes = 1_500 } = {}) {
      const [from, to] = [nameOf(one.machine), nameOf(other.machine)];
      await run("ip", [
        "link",
        "add",
        one.name,
        "netns",
        from,
        "type",
        "veth",
        "peer",
        "name",
        other.name,
        "netns",
        to,
      ]);
      for (const { machine, name, addresses } of [one, other]) {
        // Without duplicate address detection: an address is of use at once.
        for (const address of addresses)
          await machine.ip(`address add ${address} dev ${name}${address.includes(":") ? " nodad" : ""}`);
        await machine.ip(`link set ${name} mtu ${mtuBytes} up`);
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(processes.map((each) => each.kill()));
      for (const namespace of namespaces.values()) await run("ip", ["netns", "delete", namespace]);
      namespaces.clear();
    },
  };
}

/** What a test run that was killed has left: its namespaces, and who lives in them. */
async function removeLeftOvers(): Promise<void> {
  const { stdout } = await run("ip", ["netns", "list"]);
  for (const [namespace = ""] of stdout.split("\n").map((line) => line.split(" "))) {
    const pid = Number(new RegExp(`^${prefix}-(\\d+)-`).exec(namespace)?.[1]);
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    try {
      const { stdout: pids } = await run("ip", ["netns", "pids", namespace]);
      for (const each of pids.split("\n").filter(Boolean)) process.kill(Number(each), "SIGKILL");
      await run("ip", ["netns", "delete", namespace]);
    } catch {
      // Another process removes the same.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
