/** A child process that reports as JSON lines on stdout and, if it wants, takes commands as JSON lines on stdin. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** One line of the child's stdout. */
export interface LineEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface UntilOptions {
  /** How many lines must match. Default 1. */
  readonly count?: number;
  /** Default 20,000. */
  readonly timeoutMs?: number;
}

export interface LinesProcess extends AsyncDisposable {
  readonly pid: number;
  /** Every line so far, oldest first. */
  readonly events: readonly LineEvent[];
  /** What it wrote to stderr so far: panics, for example. */
  readonly stderr: string;
  /** How it ended; undefined while it runs. */
  readonly exit: ProcessExit | undefined;
  /** The lines so far with this event that match. */
  find(event: string, matches?: (line: LineEvent) => boolean): readonly LineEvent[];
  /** Resolves with the matching lines, past ones included, once there are enough; rejects in time, or when it ends. */
  until(event: string, matches?: (line: LineEvent) => boolean, options?: UntilOptions): Promise<readonly LineEvent[]>;
  /** Writes a line to its stdin. */
  write(line: object): void;
  /** Closes its stdin, and kills it when it has not ended a second later. Idempotent. */
  stop(): Promise<ProcessExit>;
  /** SIGKILL, by its process id, and waits for the end. */
  kill(): Promise<ProcessExit>;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Starts a program. Lines that are not JSON objects become `{ event: "text", text }`. */
export async function spawnLines(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<LinesProcess> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
  const events: LineEvent[] = [];
  const waiting = new Set<(line: LineEvent | undefined) => void>();
  let stderr = "";
  let exit: ProcessExit | undefined;
  /** Tells those who wait of a new line, or of the end. */
  const wake = (line?: LineEvent): void => {
    for (const check of [...waiting]) check(line);
  };
  child.stdin.on("error", () => {}); // It ended before it read everything.
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    const event = parseLine(line);
    events.push(event);
    wake(event);
  });
  const ended = new Promise<ProcessExit>((resolve) => {
    // "close" comes after the last line, unlike "exit".
    child.on("close", (code, signal) => {
      exit = { code, signal };
      wake();
      resolve(exit);
    });
  });
  await once(child, "spawn");

  const find: LinesProcess["find"] = (event, matches = () => true) =>
    events.filter((line) => line.event === event && matches(line));
  const stop = async (): Promise<ProcessExit> => {
    child.stdin.end();
    const timer = setTimeout(() => child.kill("SIGKILL"), 1_000);
    return ended.finally(() => clearTimeout(timer));
  };

  return {
    pid: child.pid as number,
    events,
    get stderr() {
      return stderr;
    },
    get exit() {
      return exit;
    },
    find,
    until(event, matches = () => true, { count = 1, timeoutMs = 20_000 } = {}) {
      return new Promise((resolve, reject) => {
        const found = [...find(event, matches)];
        const settle = (act: () => void): void => {
          clearTimeout(timer);
          waiting.delete(check);
          act();
        };
        const fail = (why: string): void => {
          const tail = events.slice(-10).map((line) => JSON.stringify(line).slice(0, 300));
          const report = [`${why} before ${count} × "${event}"; last lines:`, ...tail, stderr.slice(0, 2_000)];
          settle(() => reject(new Error(report.join("\n"))));
        };
        const check = (line: LineEvent | undefined): void => {
          // Only what is new: thousands may wait while thousands of lines come.
          if (line?.event === event && matches(line)) found.push(line);
          if (found.length >= count) settle(() => resolve(found));
          else if (exit !== undefined) fail(`ended (code ${exit.code}, signal ${exit.signal})`);
        };
        const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
        waiting.add(check);
        check(undefined);
      });
    },
    write(line) {
      child.stdin.write(`${JSON.stringify(line)}\n`);
    },
    stop,
    kill() {
      child.kill("SIGKILL");
      return ended;
    },
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

function parseLine(line: string): LineEvent {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null && "event" in value && typeof value.event === "string") {
      return value as LineEvent;
    }
  } catch {
    // Text, then.
  }
  return { event: "text", text: line };
}
