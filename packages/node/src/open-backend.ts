/** An agent's first line: its own key, and a backend over a relay, or over several servers. */

import { access } from "node:fs/promises";
import { type Backend, type CallOptions, createBackend, multi, type PrivateKey, WiceError } from "@wice/core";
import type { GrpcClientOptions } from "./grpc/options.ts";
import { readKeyFile, writeKeyFile } from "./key-file.ts";
import { nodeTransports } from "./node-transports.ts";
import { generatePrivateKey } from "./private-key.ts";

export interface OpenBackendOptions extends CallOptions {
  /**
   * `http://host:port`, `grpc://host:port?insecure=true`, `k8s:incluster`, or another URL that {@link nodeTransports} knows.
   * Several are used at once, and one that works is enough.
   */
  readonly relay: string | URL | readonly (string | URL)[];
  /** The file of our key; a new key is made and written to it when there is no such file. */
  readonly keyFile?: string | undefined;
  /** A key to use instead of one from a file. Without either, a new key is made that ends with the process. */
  readonly privateKey?: PrivateKey | undefined;
  /** Everything else that a gRPC transport can be told. */
  readonly grpc?: GrpcClientOptions | undefined;
}

export interface OpenBackend {
  readonly privateKey: PrivateKey;
  readonly backend: Backend;
}

/**
 * Opens our key and a backend to a relay. It does not connect yet: the first call does.
 *
 * Rejects with `invalid-url`, `unknown-scheme`, `invalid-argument`, what {@link readKeyFile} and {@link writeKeyFile}
 * reject with, and the signal's reason.
 *
 * ```ts
 * const { privateKey, backend } = await openBackend({ relay: "http://127.0.0.1:8080", keyFile: "wice.key" });
 * ```
 */
export async function openBackend(options: OpenBackendOptions): Promise<OpenBackend> {
  const { relay, keyFile, grpc, signal } = options;
  signal?.throwIfAborted();
  const registry = nodeTransports({ ...(grpc !== undefined && { grpc }) });
  const [first, ...more] = [relay].flat().map((url) => registry.open(String(url)));
  if (first === undefined) throw new WiceError("invalid-argument", "relay names no server");
  const transport = more.length === 0 ? first : multi([first, ...more]);
  try {
    const privateKey =
      options.privateKey ??
      (keyFile === undefined ? generatePrivateKey() : await readOrMakeKeyFile(keyFile, { signal }));
    return { privateKey, backend: createBackend(transport) };
  } catch (error) {
    await transport.close();
    throw error;
  }
}

async function readOrMakeKeyFile(path: string, options: CallOptions): Promise<PrivateKey> {
  if (await exists(path)) return readKeyFile(path, options);
  const key = generatePrivateKey();
  try {
    await writeKeyFile(path, key, options);
    return key;
  } catch (error) {
    // Another process made it in between.
    if (await exists(path)) return readKeyFile(path, options);
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
