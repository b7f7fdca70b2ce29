/** From whatever was thrown to what a person reads: one line, and a trace only for those who asked for it. */

import { isWiceError } from "@wice/core";
import { UsageError } from "./usage-error.ts";

export function errorLines(
  error: unknown,
  env: Readonly<Record<string, string | undefined>>,
): readonly [string, ...string[]] {
  const debug = (env.WICE_DEBUG ?? "") !== "";
  const line = errorLine(error).replace(/\s*\n\s*/g, " ");
  return debug && !(error instanceof UsageError) ? [line, ...traces(error)] : [line];
}

function errorLine(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  if (isWiceError(error)) return error.message;
  const kind = error instanceof Error ? error.name : typeof error;
  // Not its text: that of a defect may hold anything.
  return `a defect of wice (${kind}); set WICE_DEBUG=1 to see where, and please report it`;
}

/** Where it was thrown, and what caused it: frames only, for the texts of causes may hold what was read. */
function traces(error: unknown): string[] {
  const lines: string[] = [];
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    const code = "code" in cause && typeof cause.code === "string" ? ` ${cause.code}` : "";
    const frames = (cause.stack ?? "").split("\n").filter((frame) => /^\s+at /.test(frame));
    lines.push(`${depth === 0 ? "" : "caused by "}${cause.name}${code}`, ...frames);
  }
  return lines;
}
