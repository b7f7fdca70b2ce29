/** What a measured server tells its parent: where it listens, then its CPU time or its memory whenever it is asked. */

export interface Usage {
  readonly residentBytes: number;
  readonly heapBytes: number;
}

/** What the parent may ask for. */
export type Question = "cpu" | "usage";

export function reportTo(child: NodeJS.Process, port: number): void {
  child.on("message", (question: Question) => {
    if (question === "cpu") {
      const { user, system } = child.cpuUsage();
      child.send?.(user + system);
      return;
    }
    (globalThis as { gc?: () => void }).gc?.();
    const { rss, heapUsed, external } = child.memoryUsage();
    const usage: Usage = { residentBytes: rss, heapBytes: heapUsed + external };
    child.send?.(usage);
  });
  // Whoever started it is gone, and nobody else knows of it.
  child.once("disconnect", () => child.exit());
  child.send?.({ port });
}
