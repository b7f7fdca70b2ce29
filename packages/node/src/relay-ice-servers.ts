/** The STUN and TURN servers that a relay names: upstream's `RelayRegistry`, asked over gRPC. */

import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { IceServer, IceServerSource, PublicKey } from "@wice/core";
import { type RelayInfo, RelayRegistry } from "@wice/core/wire";
import { parseGrpcUrl } from "./grpc/endpoint.ts";
import type { GrpcClientOptions } from "./grpc/options.ts";

export interface RelayIceServersOptions {
  /** In the forms that {@link parseGrpcUrl} describes. */
  readonly relay: string | URL;
  /** For whom the credentials are. */
  readonly publicKey: PublicKey;
  readonly ca?: GrpcClientOptions["ca"] | undefined;
}

const timeoutMs = 5_000;

/**
 * For {@link rtc}'s `iceServers`: asks the relay, and again before credentials expire. Relays that have no registry know no
 * servers.
 *
 * Throws `invalid-url`; the source rejects with what the call fails with.
 */
export function relayIceServers({ relay, publicKey, ca }: RelayIceServersOptions): IceServerSource {
  const { tls, authority, skipVerify } = parseGrpcUrl(new URL(relay));
  const baseUrl = `${tls ? "https" : "http"}://${authority}`;
  return async ({ signal }) => {
    const nodeOptions = { rejectUnauthorized: !skipVerify, ...(ca !== undefined && { ca: ca as string }) };
    const sessionManager = new Http2SessionManager(baseUrl, {}, nodeOptions);
    try {
      const client = createClient(RelayRegistry, createGrpcTransport({ baseUrl, sessionManager }));
      const request = { publicKey: publicKey.toBytes() };
      const { relays } = await client.getRelays(request, { timeoutMs, ...(signal !== undefined && { signal }) });
      return { servers: relays.map(toIceServer), expiresAtMs: expiryOf(relays) };
    } finally {
      sessionManager.abort();
    }
  };
}

function toIceServer({ url, username, password }: RelayInfo): IceServer {
  return { urls: url, ...(username !== "" && { username, credential: password }) };
}

/** When the first of them ends. */
function expiryOf(relays: readonly RelayInfo[]): number | undefined {
  const times = relays.flatMap(({ expires }) => (expires === undefined ? [] : [expires.seconds * 1_000]));
  return times.length === 0 ? undefined : Math.min(...times);
}
