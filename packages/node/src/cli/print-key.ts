/** A new private key on its way out. */

import { fstat } from "node:fs";
import { promisify } from "node:util";
import type { PrivateKey } from "@wice/core";
import { writeKeyFile } from "../key-file.ts";
import type { Context } from "./command.ts";
import { exitCode } from "./exit-code.ts";

/** To a new file, with the public key on stdout; or to stdout itself. */
export async function printKey(key: PrivateKey, file: string | undefined, context: Context): Promise<number> {
  const { out, notes } = context;
  if (file === undefined) {
    await out.line(Buffer.from(key.exportKey()).toString("base64"));
    if (await othersCanReadStdout(context)) {
      await notes.line(notes.style.yellow("others can read this file: chmod 600 it, or wice will refuse to use it"));
    }
    return exitCode.ok;
  }
  await writeKeyFile(file, key);
  await out.line(key.publicKey.toString());
  return exitCode.ok;
}

/** `wice key generate > alice.key` with the usual umask makes a file for all to read. */
async function othersCanReadStdout({ io }: Context): Promise<boolean> {
  if (io.stdout !== process.stdout || process.platform === "win32") return false;
  const stats = await promisify(fstat)(1).catch(() => undefined);
  return stats?.isFile() === true && (stats.mode & 0o077) !== 0;
}
