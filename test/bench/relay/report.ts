/** What a measured server tells its parent: where it listens, then its CPU time and memory whenever it is asked. */

export interface Usage {
  readonly cpuMicros: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
}

export function reportTo(child: NodeJS.Process, port: number): void {
  child.on("message", () => {
    const collect = (globalThis as { gc?: () => void }).gc;
    collect?.();
    const { user, system } = child.cpuUsage();
    const { rss, heapUsed, external } = child.memoryUsage();
    const usage: Usage = { cpuMicros: user + system, residentBytes: rss, heapBytes: heapUsed + external };
    child.send?.(usage);
  });
  child.send?.({ port });
}
