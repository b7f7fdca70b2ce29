/** The STUN and TURN servers that a relay names: upstream's `RelayRegistry`, asked from a page. */

import type { IceServerSource, PublicKey } from "@wice/core";
import { registrySource } from "@wice/core/transport";
import { RelayRegistry } from "@wice/core/wire";
import { openCalls } from "./connect/open-calls.ts";
import { type ConnectClientOptions, resolveSettings } from "./connect/options.ts";

export interface RelayIceServersOptions {
  /** `https://host[:port]`, or `http:` where the page is not loaded over https. */
  readonly relay: string | URL;
  /** For whom the credentials are. */
  readonly publicKey: PublicKey;
  /** As for a transport to the relay. */
  readonly connect?: ConnectClientOptions | undefined;
}

const timeoutMs = 5_000;

/**
 * For the `iceServers` of `rtc`: asks the relay, and again before credentials end. Relays that have no registry know no
 * servers.
 *
 * Throws `invalid-url` and `invalid-argument`. The source rejects with `unavailable`, `resource-exhausted`,
 * `unauthenticated`, `permission-denied`, `protocol`, and the signal's reason.
 *
 * ```ts
 * const agent = rtc({ iceServers: relayIceServers({ relay: "https://relay.example.org", publicKey }) });
 * ```
 */
export function relayIceServers({ relay, publicKey, connect }: RelayIceServersOptions): IceServerSource {
  const calls = openCalls(resolveSettings({ ...connect, url: relay }));
  const request = { publicKey: publicKey.toBytes() };
  return registrySource(({ signal }) => calls.unary(RelayRegistry.method.getRelays, request, { timeoutMs, signal }));
}
