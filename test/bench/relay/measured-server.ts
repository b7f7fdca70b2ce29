/** A server in a process of its own, whose usage can be asked for. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Usage } from "./report.ts";

export interface MeasuredServer {
  readonly url: string;
  usage(): Promise<Usage>;
  /** SIGKILL. Idempotent. */
  stop(): Promise<void>;
}

export async function startServer(file: string, env: Record<string, string> = {}): Promise<MeasuredServer> {
  const child: ChildProcess = fork(fileURLToPath(new URL(file, import.meta.url)), {
    execArgv: ["--conditions=@wice/source", "--expose-gc"],
    env: { ...process.env, ...env },
  });
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  return {
    url: `http://127.0.0.1:${port}`,
    async usage() {
      const reply = once(child, "message");
      child.send("usage");
      const [usage] = (await reply) as [Usage];
      return usage;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    },
  };
}
