/** Starts Node processes with sessions, and calls their functions. */

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { SessionProcess } from "./session-functions.ts";
import type { Answer, Question } from "./session-program.ts";

export interface NodeSessionProcess extends SessionProcess {
  readonly pid: number;
  /** SIGKILL; resolves when it is gone. Idempotent. */
  kill(): Promise<void>;
}

/** Compiled once, and not by each of the many processes. */
const compileCache = fileURLToPath(new URL("../../.cache/node", import.meta.url));

export async function startSessionProcess(): Promise<NodeSessionProcess> {
  const child = fork(fileURLToPath(new URL("./session-program.ts", import.meta.url)), {
    execArgv: ["--conditions=@wice/source"],
    env: { ...process.env, NODE_OPTIONS: undefined, NODE_COMPILE_CACHE: compileCache },
  });
  await once(child, "spawn");
  const asked = new Map<number, PromiseWithResolvers<unknown>>();
  let questions = 0;
  let gone = false;
  child.on("message", (answer: Answer) => {
    const promise = asked.get(answer.id);
    asked.delete(answer.id);
    if ("error" in answer) promise?.reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }));
    else promise?.resolve(answer.value);
  });
  const ended = once(child, "exit").then(([code, signal]) => {
    gone = true;
    for (const { reject } of asked.values()) reject(new Error(`the process has ended (${code ?? signal})`));
  });
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  return {
    pid: child.pid as number,
    call(name, ...args) {
      const promise = Promise.withResolvers<unknown>();
      // A test that has failed awaits nothing any more.
      promise.promise.catch(() => {});
      if (gone) promise.reject(new Error("the process has ended"));
      else {
        questions += 1;
        asked.set(questions, promise);
        child.send({ id: questions, name, args } satisfies Question);
      }
      return promise.promise as Promise<never>;
    },
    kill,
    [Symbol.asyncDispose]: kill,
  };
}
