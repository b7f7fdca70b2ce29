/** A page's first line: its own key, and a backend over a relay. */

import { type Backend, type CallOptions, createBackend, type PrivateKey } from "@wice/core";
import type { ConnectClientOptions } from "./connect/options.ts";
import { openKeyStore } from "./keys/key-store.ts";
import { webTransports } from "./web-transports.ts";

export interface OpenBackendOptions extends CallOptions {
  /** `https://relay.example.org`, or another URL that {@link webTransports} knows, such as `broadcast:`. */
  readonly relay: string | URL;
  /**
   * The name of the page's key in the key store; it is made on first use, and anew by each call where the browser lets
   * keys be kept only in memory. Default `"default"`.
   */
  readonly key?: string | undefined;
  /** A key to use instead of one from the key store. */
  readonly privateKey?: PrivateKey | undefined;
  /** Everything else that a transport to a relay can be told. */
  readonly connect?: ConnectClientOptions | undefined;
}

export interface OpenBackend {
  readonly privateKey: PrivateKey;
  readonly backend: Backend;
  /** Why the key is forgotten with the page, where it is; see `KeyStore.warning`. */
  readonly warning: string | undefined;
}

/**
 * Opens the key of this page and a backend to a relay. It does not connect yet: the first call does.
 *
 * Rejects with `invalid-url`, `unknown-scheme`, `invalid-argument`, and `unavailable` where the browser's database fails,
 * and with the signal's reason.
 *
 * ```ts
 * const { privateKey, backend } = await openBackend({ relay: "https://relay.example.org" });
 * ```
 */
export async function openBackend(options: OpenBackendOptions): Promise<OpenBackend> {
  const { relay, key = "default", connect, signal } = options;
  signal?.throwIfAborted();
  const transport = webTransports({ connect }).open(String(relay));
  try {
    const { privateKey, warning } =
      options.privateKey === undefined
        ? await openStoredKey(key, { signal })
        : { privateKey: options.privateKey, warning: undefined };
    return { privateKey, warning, backend: createBackend(transport) };
  } catch (error) {
    await transport.close();
    throw error;
  }
}

async function openStoredKey(name: string, options: CallOptions): Promise<Omit<OpenBackend, "backend">> {
  const store = await openKeyStore(options);
  try {
    return { privateKey: await store.open(name, options), warning: store.warning };
  } finally {
    store.close();
  }
}
