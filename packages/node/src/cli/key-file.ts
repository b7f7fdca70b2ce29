/** Private keys in files, which nobody but their owner may read. */

import { type FileHandle, open } from "node:fs/promises";
import { type PrivateKey, parsePrivateKey, WiceError } from "@wice/core";

/** A key file is one line; what is longer is another file. */
const maxBytes = 4_096;

/** Rejects with `insecure-key-file`, `invalid-file`, or the signal's reason. */
export async function readKeyFile(
  file: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<PrivateKey> {
  const text = await withFile(file, "r", 0o600, async (handle) => {
    await checkRights(file, handle);
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) return buffer.toString("latin1", 0, length);
    }
  });
  if (text.trim() === "")
    throw new WiceError("invalid-file", `${file} is empty; make a key with wice key generate --out`);
  try {
    return parsePrivateKey(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "it is not a key";
    throw new WiceError("invalid-file", `${file} does not hold a private key: ${why}`);
  }
}

/** Makes a new file; never overwrites one. Rejects with `invalid-file`. */
export async function writeKeyFile(file: string, key: PrivateKey): Promise<void> {
  const text = `${Buffer.from(key.exportKey()).toString("base64")}\n`;
  await withFile(file, "wx", 0o600, (handle) => handle.writeFile(text));
}

async function withFile<T>(
  file: string,
  flags: string,
  mode: number,
  use: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, flags, mode);
    return await use(handle);
  } catch (cause) {
    if (cause instanceof Error && "syscall" in cause) throw fileError(file, cause as NodeJS.ErrnoException);
    throw cause;
  } finally {
    await handle?.close();
  }
}

/** Windows keeps rights elsewhere; pipes (`<(pass show key)`) have none to speak of. */
async function checkRights(file: string, handle: FileHandle): Promise<void> {
  const stats = await handle.stat();
  if (stats.isDirectory())
    throw new WiceError("invalid-file", `${file} is a directory; name the file with the key in it`);
  if (process.platform === "win32" || !stats.isFile() || (stats.mode & 0o077) === 0) return;
  throw new WiceError(
    "insecure-key-file",
    `${file} can be read by others (mode ${(stats.mode & 0o777).toString(8)}); run: chmod 600 ${file}`,
  );
}

function fileError(file: string, cause: NodeJS.ErrnoException): WiceError {
  const texts: Readonly<Record<string, string>> = {
    ENOENT: `${file} does not exist; make a key with wice key generate --out ${file}`,
    EACCES: `${file} may not be read by you; check its owner and its rights`,
    EEXIST: `${file} exists already, and a key is never overwritten; choose another name`,
    EISDIR: `${file} is a directory; name the file with the key in it`,
  };
  return new WiceError("invalid-file", texts[cause.code ?? ""] ?? `${file} cannot be used (${cause.code})`, { cause });
}
