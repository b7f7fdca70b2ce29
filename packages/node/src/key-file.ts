/** Private keys in files: one line of base64, as WireGuard keeps them. */

import { randomUUID } from "node:crypto";
import { type FileHandle, link, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type CallOptions, isWiceError, type PrivateKey, WiceError } from "@wice/core";
import { parsePrivateKey } from "./private-key.ts";

/** A key is 44 characters; the rest is room for white space. */
const maxBytes = 1024;

/**
 * Reads a private key. A pipe will do, so that the shell's `<(…)` works.
 *
 * Rejects with `insecure-key-file` where group or others may do anything with the file (not on Windows, whose
 * permissions Node does not see), `invalid-file` where it cannot be read or is no such file, `invalid-key` where its
 * line is not a key. No error holds anything of what the file holds.
 *
 * ```ts
 * const key = await readKeyFile("wice.key");
 * ```
 */
export async function readKeyFile(path: string, { signal }: CallOptions = {}): Promise<PrivateKey> {
  signal?.throwIfAborted();
  let text: string;
  try {
    const file = await open(path, "r");
    try {
      await checkMode(file, path);
      text = await readText(file, path);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (isWiceError(cause)) throw cause;
    throw new WiceError("invalid-file", `cannot read the key file ${path}: ${reason(cause, path)}`, { cause });
  }
  signal?.throwIfAborted();
  const lines = text.trim().split(/\r?\n/);
  if (lines[0] === "") throw new WiceError("invalid-file", `the key file ${path} is empty`);
  if (lines.length > 1) throw new WiceError("invalid-key", `${path} holds more than the one line of a private key`);
  try {
    return parsePrivateKey(text);
  } catch {
    // Without the cause: nothing may follow the text of a key around.
    throw new WiceError("invalid-key", `${path} does not hold a private key, which is 44 characters of base64`);
  }
}

/**
 * Writes a private key into a new file that only its owner can read. The file appears whole or not at all, but on file
 * systems without hard links, where a crash may leave a part of it, which is refused when it is read.
 *
 * Rejects with `invalid-file` where it exists already (it is never overwritten) or cannot be written, and with
 * `unsupported` for a key that cannot leave its place.
 *
 * ```ts
 * await writeKeyFile("wice.key", generatePrivateKey());
 * ```
 */
export async function writeKeyFile(path: string, key: PrivateKey, { signal }: CallOptions = {}): Promise<void> {
  signal?.throwIfAborted();
  const line = `${Buffer.from(key.exportKey()).toString("base64")}\n`;
  const draft = join(dirname(path), `.wice-key-${randomUUID()}`);
  try {
    try {
      await writeNew(draft, line);
      signal?.throwIfAborted();
      await publish(draft, path, line);
    } finally {
      await rm(draft, { force: true });
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw new WiceError("invalid-file", `cannot write the key file ${path}: ${reason(cause, path)}`, { cause });
  }
}

/** On the open file, so that nobody can exchange it in between. */
async function checkMode(file: FileHandle, path: string): Promise<void> {
  const status = await file.stat();
  if (status.isDirectory()) throw new WiceError("invalid-file", `${path} is a directory, not a key file`);
  if (process.platform === "win32" || status.isCharacterDevice() || (status.mode & 0o077) === 0) return;
  throw new WiceError("insecure-key-file", `others can get at the key file ${path}; run: chmod 600 ${quoted(path)}`);
}

async function readText(file: FileHandle, path: string): Promise<string> {
  const buffer = Buffer.alloc(maxBytes + 1);
  try {
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) return buffer.toString("latin1", 0, length);
      length += bytesRead;
    }
  } finally {
    buffer.fill(0);
  }
  throw new WiceError("invalid-file", `${path} is too long for a key file`);
}

async function writeNew(path: string, line: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(line);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A hard link fails where the name is taken, which renaming does not. */
async function publish(draft: string, path: string, line: string): Promise<void> {
  try {
    await link(draft, path);
  } catch (error) {
    // Some file systems have no hard links.
    if (!["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"].includes(codeOf(error))) throw error;
    await writeNew(path, line);
  }
}

function reason(error: unknown, path: string): string {
  const code = codeOf(error);
  if (code === "EEXIST") return "it exists already; move it away first";
  if (code === "ENOENT") return "it or its directory does not exist";
  if (code === "EACCES" || code === "EPERM") return `this user may not; look at the permissions of ${quoted(path)}`;
  if (code === "ENOTDIR") return "a part of its path is not a directory";
  return code === "" ? "unknown reason" : code;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** For the shell. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
