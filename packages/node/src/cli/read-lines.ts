/** Lines of stdin, one at a time: what is not asked for is not read. */

import type { Readable } from "node:stream";
import { WiceError } from "@wice/core";

export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: string;
}

export interface LineOptions {
  /** Ends the reading, also while nothing comes; it rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** A longer line is refused with `too-large`. */
  readonly maxBytes: number;
  /** What is being read, for errors; a line's number is added to it by {@link readLines} itself. */
  readonly label?: string;
}

/**
 * The stream is destroyed when the iteration ends, so that an open stdin does not keep the process. Rejects with
 * `too-large`, `invalid-file` (not UTF-8, unreadable), or the signal's reason.
 */
export async function* readLines(stream: Readable, options: LineOptions): AsyncGenerator<Line, void, undefined> {
  const { signal, maxBytes, label } = options;
  const abort = (): void => void stream.destroy(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener("abort", abort, { once: true });
  let number = 1;
  let parts: Buffer[] = [];
  let bytes = 0;
  const add = (part: Buffer): void => {
    bytes += part.length;
    if (bytes > maxBytes)
      throw new WiceError("too-large", `${label ?? `line ${number}`} is longer than ${maxBytes} bytes`);
    if (part.length > 0) parts.push(part);
  };
  const take = (): Line => {
    const line = { number, text: decode(Buffer.concat(parts), label ?? `line ${number}`) };
    number += 1;
    parts = [];
    bytes = 0;
    return line;
  };
  try {
    for await (const chunk of stream as AsyncIterable<Buffer | string>) {
      const buffer = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      let from = 0;
      for (let end = buffer.indexOf(newline); end !== -1; end = buffer.indexOf(newline, from)) {
        add(buffer.subarray(from, end));
        from = end + 1;
        yield take();
      }
      add(buffer.subarray(from));
    }
    if (bytes > 0) yield take();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof WiceError || !isSystemError(error)) throw error;
    throw new WiceError("invalid-file", `stdin cannot be read (${error.code})`, { cause: error });
  } finally {
    signal.removeEventListener("abort", abort);
    stream.destroy();
  }
}

/** The first line, or undefined where there is none. */
export async function readLine(stream: Readable, options: LineOptions): Promise<string | undefined> {
  for await (const { text } of readLines(stream, options)) return text;
  return undefined;
}

const newline = 0x0a;

function decode(bytes: Buffer, label: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r$/, "");
  } catch {
    throw new WiceError("invalid-file", `${label} is not UTF-8 text`);
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { readonly code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}
