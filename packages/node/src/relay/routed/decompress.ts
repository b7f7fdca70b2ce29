/** What a compressed request was before, within the size that a request may have. */

import { promisify } from "node:util";
import { brotliDecompress, gunzip } from "node:zlib";
import { tooLarge } from "../framed-request.ts";
import type { Status } from "../status.ts";

/** As they stand in a header. */
export const encodings: readonly string[] = ["gzip", "br"];

export async function decompress(encoding: string, bytes: Uint8Array, maxBytes: number): Promise<Buffer | Status> {
  if (bytes.length === 0) return Buffer.alloc(0);
  const unpack = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(
    encoding === "gzip" ? gunzip : brotliDecompress,
  );
  try {
    return await unpack(bytes, { maxOutputLength: Math.min(maxBytes, 2 ** 31 - 1) });
  } catch (error) {
    const isTooLarge = error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
    return isTooLarge
      ? tooLarge(maxBytes)
      : { code: "invalid-argument", message: "the message is not compressed as the headers say" };
  }
}
