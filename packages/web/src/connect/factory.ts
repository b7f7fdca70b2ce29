/** Relays by URL, for a registry of transports. */

import type { TransportFactory } from "@wice/core";
import type { ConnectClientOptions } from "./options.ts";
import { createConnectTransport } from "./transport.ts";

/** Opens `https:` and `http:` URLs of relays. The options hold for every transport that it opens. */
export function connectFactory(options: ConnectClientOptions = {}): TransportFactory {
  return { schemes: ["https", "http"], open: (url) => createConnectTransport({ ...options, url: url.href }) };
}
