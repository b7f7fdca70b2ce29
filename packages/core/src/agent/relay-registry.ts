/** The STUN and TURN servers that a relay names (upstream's `RelayRegistry`), for those who can ask it. */

import type { CallOptions } from "../call-options.ts";
import { isWiceError } from "../errors.ts";
import type { GetRelaysResp, RelayInfo } from "../gen/cunicu/signaling/relay_pb.ts";
import type { IceServerSource } from "./ice-servers.ts";
import type { IceServer } from "./rtc-types.ts";

/** WebRTC gets slow with many, and refuses too many. */
const maxServers = 16;

/**
 * A source that asks by `getRelays`. It knows no servers where the relay has no registry (`unsupported`), leaves out those
 * that no WebRTC would take, and rejects with what `getRelays` rejects with.
 */
export function registrySource(getRelays: (options: CallOptions) => Promise<GetRelaysResp>): IceServerSource {
  return async (options) => {
    let named: readonly RelayInfo[];
    try {
      named = (await getRelays(options)).relays;
    } catch (error) {
      if (isWiceError(error, "unsupported")) return { servers: [] };
      throw error;
    }
    const usable = named.filter(isUsable).slice(0, maxServers);
    const ends = usable.flatMap(({ expires }) => (expires === undefined ? [] : [1_000 * expires.seconds]));
    return { servers: usable.map(toIceServer), ...(ends.length > 0 && { expiresAtMs: Math.min(...ends) }) };
  };
}

/** One that WebRTC refuses would cost all the others: a mistyped URL, or a TURN server without credentials. */
function isUsable({ url, username, password }: RelayInfo): boolean {
  return /^stuns?:[^/]/i.test(url) || (/^turns?:[^/]/i.test(url) && username !== "" && password !== "");
}

function toIceServer({ url, username, password }: RelayInfo): IceServer {
  return { urls: url, ...(username !== "" && { username, credential: password }) };
}
