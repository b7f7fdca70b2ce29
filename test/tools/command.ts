/** Programs as steps of ours: run with the workspace's own tools first in the path, output kept for when they fail. */

import { spawn } from "node:child_process";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";

export interface CommandOptions {
  /** Default: the root of the workspace. */
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** `"show"` passes the output on as it comes, `"keep"` (the default) returns it. */
  readonly output?: "show" | "keep";
  /** The program and all it started are killed after this long. Default: ten minutes. */
  readonly timeoutMs?: number;
}

/** The folder that holds the root package.json, with a slash at its end. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** Resolves with what the program printed; rejects with all of it, and how it ended, when that is not with 0. */
export function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { cwd = root, env = {}, output = "keep", timeoutMs = 600_000 } = options;
  const path = `${root}node_modules/.bin${delimiter}${process.env.PATH ?? ""}`;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, ...env, PATH: path },
    stdio: ["ignore", output === "show" ? "inherit" : "pipe", output === "show" ? "inherit" : "pipe"],
    detached: true,
  });
  let printed = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (printed += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (printed += text));

  // Of its own group, so that what it started ends with it, by the timeout or when we are told to stop.
  const kill = () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  };
  const stop = (signal: NodeJS.Signals) => {
    kill();
    process.kill(process.pid, signal);
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const timer = setTimeout(kill, timeoutMs);
  const settle = () => {
    clearTimeout(timer);
    process.off("SIGINT", stop).off("SIGTERM", stop);
  };

  child.on("error", (cause) => {
    settle();
    reject(new Error(`${command} cannot be started: ${cause.message}`, { cause }));
  });
  child.on("close", (code, signal) => {
    settle();
    if (code === 0) return resolve(printed);
    const end = signal === null ? `ended with ${code}` : `was ended by ${signal}`;
    reject(new Error(`${printed}\n${[command, ...args].join(" ")} ${end}`.trim()));
  });
  return promise;
}

/** `"1.2 s"`. */
export function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}
