/** What the figures were taken on. No names of hosts and no paths: the figures are for others to read. */

import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from "node:os";

export interface Machine {
  readonly node: string;
  readonly platform: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGB: number;
  /** Programs that wanted a core in the last minute, before the benchmark began. */
  readonly loadBefore: number;
}

export function describeMachine(): Machine {
  return {
    node: process.version,
    platform: `${platform()} ${arch()}`,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
    loadBefore: loadavg()[0] ?? 0,
  };
}

export function formatMachine({ node, platform: system, processor, cores, memoryGB, loadBefore }: Machine): string {
  const load = loadBefore > 0.5 ? `; not at rest: load ${loadBefore.toFixed(1)}` : "";
  return `Node ${node}, ${system}, ${cores} cores (${processor}), ${memoryGB} GB${load}`;
}
