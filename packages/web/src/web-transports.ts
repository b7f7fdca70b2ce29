/** Every transport of this package, by URL. */

import { createTransportRegistry, inProcessFactory, type TransportRegistry } from "@wice/core";
import { broadcastFactory } from "./broadcast/transport.ts";
import { connectFactory } from "./connect/factory.ts";
import type { ConnectClientOptions } from "./connect/options.ts";

export interface WebTransportsOptions {
  /** For all transports to relays. */
  readonly connect?: ConnectClientOptions | undefined;
}

/**
 * A registry of the schemes `https:`, `http:`, `broadcast:` and `inprocess:`.
 *
 * ```ts
 * const backend = createBackend(webTransports().open("https://relay.example.org"));
 * ```
 */
export function webTransports({ connect = {} }: WebTransportsOptions = {}): TransportRegistry {
  return createTransportRegistry([connectFactory(connect), broadcastFactory(), inProcessFactory()]);
}
