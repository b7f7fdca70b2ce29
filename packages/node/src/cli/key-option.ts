/** `--key FILE`: our private key, from a file or from stdin. */

import { isWiceError, type PrivateKey, WiceError } from "@wice/core";
import { readKeyFile } from "../key-file.ts";
import { parsePrivateKey } from "../private-key.ts";
import type { Io } from "./io.ts";
import { readLine } from "./read-lines.ts";
import { UsageError } from "./usage-error.ts";

/** @param stdinIsFree whether `-` may read the key from stdin; false where stdin carries messages */
export async function readKeyOption(
  file: string,
  io: Io,
  { signal, stdinIsFree = true }: { readonly signal: AbortSignal; readonly stdinIsFree?: boolean },
): Promise<PrivateKey> {
  if (isKeyText(file)) {
    throw new UsageError(
      "--key takes the name of a file that holds the key, not the key: others can see your commands",
    );
  }
  if (file !== "-") return await readKeyFile(file, { signal }).catch(addAdvice);
  if (!stdinIsFree) throw new UsageError("--key - cannot be used here, because stdin carries the messages; use a file");
  const line = await readLine(io.stdin, { signal, maxBytes: 1024, label: "the key on stdin" });
  if (line === undefined) throw new WiceError("invalid-file", "there is no key on stdin; it is one line of base64");
  return parsePrivateKey(line);
}

function isKeyText(text: string): boolean {
  return /^[A-Za-z0-9+/]{43}=$/.test(text);
}

/** Somebody without a key file wants to know where such a thing comes from. */
function addAdvice(error: unknown): never {
  const { cause } = error as { readonly cause?: unknown };
  if (!isWiceError(error) || !(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) throw error;
  throw new WiceError(error.code, `${error.message}; wice key generate --out FILE makes one`, { cause });
}
