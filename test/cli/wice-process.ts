/** `wice` as a process of its own: the file that npm links, on the sources. */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

/** Compiled once, and not by each of the many processes. */
const compileCache = fileURLToPath(new URL("../../.cache/node", import.meta.url));
const bin = fileURLToPath(new URL("../../packages/node/bin/wice.js", import.meta.url));
/** What comes before the arguments, for tests that need a shell in between. */
export const command: readonly string[] = [process.execPath, "--conditions=@wice/source", bin];

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface Finished extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

export interface WiceProcess extends AsyncDisposable {
  readonly pid: number;
  readonly stdin: Writable;
  /** Pause it to play a reader that does not read. */
  readonly output: Readable;
  /** So far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves when what it printed so far matches, with the match; rejects in time, or when it ends before. */
  until(stream: "stdout" | "stderr", pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<Exit>;
}

export async function startWice(args: readonly string[], options: StartOptions = {}): Promise<WiceProcess> {
  const [node = "", ...before] = command;
  return await startProcess(node, [...before, ...args], options);
}

/** Any program, watched the same way. */
export async function startProcess(
  program: string,
  args: readonly string[],
  { env = {}, cwd }: StartOptions = {},
): Promise<WiceProcess> {
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      ...process.env,
      WICE_DEBUG: "",
      NO_COLOR: "",
      FORCE_COLOR: undefined,
      NODE_OPTIONS: undefined,
      ...env,
      NODE_COMPILE_CACHE: compileCache,
    },
    ...(cwd !== undefined && { cwd }),
  });
  const text = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  let exit: Exit | undefined;
  const look = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
      look();
    });
  }
  child.stdin.on("error", () => {}); // It ended before it read everything.
  const ended = new Promise<Exit>((resolve) => {
    child.once("close", (code, signal) => {
      exit = { code, signal };
      look();
      resolve(exit);
    });
  });
  await once(child, "spawn");

  return {
    pid: child.pid as number,
    stdin: child.stdin,
    output: child.stdout,
    get stdout() {
      return text.stdout;
    },
    get stderr() {
      return text.stderr;
    },
    ended,
    kill: (signal) => void child.kill(signal),
    until: (stream, pattern, timeoutMs = 40_000) =>
      new Promise((resolve, reject) => {
        const settle = (act: () => void): void => {
          clearTimeout(timer);
          watchers.delete(watch);
          act();
        };
        const fail = (why: string): void =>
          settle(() => reject(new Error(`${why} before ${pattern}; stdout: ${text.stdout}\nstderr: ${text.stderr}`)));
        const watch = (): void => {
          const match = pattern.exec(text[stream]);
          if (match !== null) settle(() => resolve(match));
          else if (exit !== undefined) fail(`it ended (${exit.code ?? exit.signal})`);
        };
        const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
        watchers.add(watch);
        watch();
      }),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Runs it to its end, with this on stdin. Killed, and rejected, when that takes longer than three quarters of a minute. */
export async function runWice(
  args: readonly string[],
  { input = "", ...options }: StartOptions & { readonly input?: string | Uint8Array } = {},
): Promise<Finished> {
  await using wice = await startWice(args, options);
  wice.stdin.end(input);
  const timer = setTimeout(() => wice.kill("SIGKILL"), 45_000);
  const exit = await wice.ended.finally(() => clearTimeout(timer));
  if (exit.signal === "SIGKILL") throw new Error(`wice ${args[0]} hung; stderr: ${wice.stderr}`);
  return { ...exit, stdout: wice.stdout, stderr: wice.stderr };
}

export interface Scene extends AsyncDisposable {
  readonly folder: string;
  /** Makes a key file; returns it with its public key. */
  key(name: string): Promise<{ readonly file: string; readonly publicKey: string }>;
}

/** A temporary folder, and keys in it. */
export async function createScene(): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), "wice-cli-"));
  return {
    folder,
    async key(name) {
      const file = join(folder, `${name}.key`);
      const { code, stdout, stderr } = await runWice(["key", "generate", "--out", file]);
      if (code !== 0) throw new Error(stderr);
      return { file, publicKey: stdout.trim() };
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true });
    },
  };
}

/** A relay on a free port, or on that one. */
export async function startRelay(
  listen = "127.0.0.1:0",
  args: readonly string[] = [],
): Promise<WiceProcess & { readonly url: string; readonly port: number }> {
  const wice = await startWice(["relay", "--listen", listen, ...args]);
  const [, url = ""] = await orEnd(wice, wice.until("stdout", /listening on (\S+)/));
  return Object.defineProperties(wice, {
    url: { value: url },
    port: { value: Number(new URL(url).port) },
  }) as WiceProcess & { readonly url: string; readonly port: number };
}

/** The promise; when it rejects, the process is killed first, for nobody else has it yet. */
export async function orEnd<T>(wice: WiceProcess, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    await wice[Symbol.asyncDispose]();
    throw error;
  }
}
