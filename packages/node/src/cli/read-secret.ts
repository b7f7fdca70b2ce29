/** One line that nobody should see: not echoed where a person types it. */

import { WiceError } from "@wice/core";
import type { Context } from "./command.ts";
import { Interrupted } from "./interrupted.ts";
import type { Input, Io } from "./io.ts";
import { readLine } from "./read-lines.ts";

const maxBytes = 65_536;

/** The line without its end; undefined where stdin ended before it. The prompt is shown on terminals only. */
export async function readSecret(
  prompt: string,
  io: Io,
  { notes, signal }: Pick<Context, "notes" | "signal">,
): Promise<string | undefined> {
  const { stdin } = io;
  if (stdin.isTTY !== true) return await readLine(stdin, { signal, maxBytes, label: "the line on stdin" });
  io.stderr.write(prompt);
  try {
    return await readKeys(stdin, signal);
  } finally {
    await notes.line("");
  }
}

/** Reads a terminal key by key, for in raw mode it neither echoes nor edits. */
function readKeys(stdin: Input, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const typed: string[] = [];
    const decoder = new TextDecoder();
    const settle = (act: () => void): void => {
      stdin.off("data", onData).off("end", onEnd).off("error", onError);
      signal.removeEventListener("abort", onAbort);
      stdin.setRawMode?.(false);
      stdin.destroy();
      act();
    };
    const onAbort = (): void => settle(() => reject(signal.reason));
    const onEnd = (): void => settle(() => resolve(typed.length === 0 ? undefined : typed.join("")));
    const onError = (cause: Error): void =>
      settle(() => reject(new WiceError("invalid-file", "the terminal cannot be read", { cause })));
    const onData = (chunk: Buffer): void => {
      for (const key of decoder.decode(chunk, { stream: true })) {
        if (key === "\r" || key === "\n") return settle(() => resolve(typed.join("")));
        if (key === ctrl("C")) return settle(() => reject(new Interrupted("SIGINT")));
        if (key === ctrl("D")) return onEnd();
        if (key === ctrl("U")) typed.length = 0;
        else if (key === "\x7f" || key === "\b") typed.pop();
        else if (key >= " " && typed.length < maxBytes) typed.push(key);
      }
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    stdin.setRawMode?.(true);
    stdin.on("data", onData).on("end", onEnd).on("error", onError);
  });
}

function ctrl(letter: string): string {
  return String.fromCharCode(letter.charCodeAt(0) - 64);
}
