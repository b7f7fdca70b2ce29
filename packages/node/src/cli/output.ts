/** Where results go: written one after the other, each flushed before the next is asked for. */

import { WiceError } from "@wice/core";
import type { Terminal } from "./io.ts";

export interface Output {
  readonly style: Style;
  /** Resolves when the line is out of our hands. Rejects with {@link OutputClosed} when nobody reads any more. */
  line(text: string): Promise<void>;
}

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

/** Whoever read our output has stopped, as `head` does: an end, not a failure. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

export function createOutput(stream: Terminal, env: Readonly<Record<string, string | undefined>>): Output {
  // Every write reports its own failure; without a listener the event would end the process.
  stream.on("error", () => {});
  return {
    style: createStyle(stream, env),
    line: (text) =>
      new Promise((resolve, reject) => {
        stream.write(`${text}\n`, (error) => {
          if (error === null || error === undefined) resolve();
          else reject(outputError(error));
        });
      }),
  };
}

/** Colours for terminals, unless the user asked for none (https://no-color.org). */
function createStyle(stream: Terminal, env: Readonly<Record<string, string | undefined>>): Style {
  const coloured = stream.isTTY === true && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
  const paint = (on: number, off: number) => (text: string) => (coloured ? `\x1b[${on}m${text}\x1b[${off}m` : text);
  return { bold: paint(1, 22), dim: paint(2, 22), red: paint(31, 39), green: paint(32, 39), yellow: paint(33, 39) };
}

function outputError(error: NodeJS.ErrnoException): Error {
  if (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED")
    return new OutputClosed("nobody reads the output");
  return new WiceError("invalid-file", `cannot write the output (${error.code ?? "failed"})`, { cause: error });
}
