/** A server in a process of its own, whose CPU time and memory can be asked for. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Question, Usage } from "./report.ts";

export interface MeasuredServer extends AsyncDisposable {
  readonly url: string;
  /** CPU time so far, of user and system, in microseconds. */
  cpuMicros(): Promise<number>;
  /** Memory after a collection of garbage. */
  usage(): Promise<Usage>;
  /** SIGKILL. Idempotent. */
  stop(): Promise<void>;
}

/** @param file the program, beside this file */
export async function startServer(file: string, env: Record<string, string> = {}): Promise<MeasuredServer> {
  const child: ChildProcess = fork(fileURLToPath(new URL(file, import.meta.url)), {
    execArgv: ["--conditions=@wice/source", "--expose-gc"],
    env: { ...process.env, ...env },
  });
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  const ask = async <Answer>(question: Question): Promise<Answer> => {
    const reply = once(child, "message");
    child.send(question);
    const [answer] = (await reply) as [Answer];
    return answer;
  };
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    cpuMicros: () => ask("cpu"),
    usage: () => ask("usage"),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
