/** Certificates and their keys, from files that options name. */

import { readFile } from "node:fs/promises";
import { WiceError } from "@wice/core";

/** @param option for the error: `"--tls-cert"` */
export async function readPemFile(option: string, file: string, signal: AbortSignal): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, { encoding: "utf8", signal });
  } catch (cause) {
    signal.throwIfAborted();
    const code = cause instanceof Error && "code" in cause ? cause.code : "failed";
    const message = `${option}: ${file} cannot be read (${code}); check the name and its permissions`;
    throw new WiceError("invalid-file", message, { cause });
  }
  if (text.includes("-----BEGIN ")) return text;
  throw new WiceError("invalid-file", `${option}: ${file} is not PEM, which begins with -----BEGIN`);
}
