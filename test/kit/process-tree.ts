/** A process and everything that it has started, of which a signal to the first says nothing. Linux only. */

import { readdir, readFile } from "node:fs/promises";

export interface ProcessTree {
  /** SIGSTOP: nothing of it runs any more, as on a laptop that is shut. */
  stop(): Promise<void>;
  /** SIGCONT. */
  go(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export function processTree(pid: number): ProcessTree {
  const signal = async (name: NodeJS.Signals): Promise<void> => {
    for (const each of await family(pid)) {
      try {
        process.kill(each, name);
      } catch {
        // It has ended by itself.
      }
    }
  };
  return { stop: () => signal("SIGSTOP"), go: () => signal("SIGCONT"), kill: () => signal("SIGKILL") };
}

/** The process, and those that have it or each other for a parent. */
async function family(root: number): Promise<readonly number[]> {
  const children = new Map<number, number[]>();
  for (const name of await readdir("/proc")) {
    const stat = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, "utf8").catch(() => "") : "";
    // The name of the program, in parentheses, may hold anything.
    const parent = Number(/\) \S (\d+)/.exec(stat.slice(stat.lastIndexOf(")")))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}
