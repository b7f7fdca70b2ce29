/** Upstream's service that tells peers of STUN and TURN servers. */

import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { publicKeyFlaw } from "@wice/core";
import { RelayRegistry } from "@wice/core/wire";
import { credentialsFor, type IceServer } from "../ice-servers.ts";

export function addRelayRegistry(router: ConnectRouter, iceServers: readonly IceServer[]): void {
  router.service(RelayRegistry, {
    getRelays: ({ publicKey }) => {
      const flaw = publicKeyFlaw(publicKey);
      if (flaw !== undefined) throw new ConnectError(`public_key: ${flaw}`, Code.InvalidArgument);
      const name = Buffer.from(publicKey).toString("base64");
      const nowUnix = Date.now() / 1_000;
      return {
        relays: iceServers.map((server) => {
          const { expiresUnix, ...credentials } = credentialsFor(server, name, nowUnix);
          return {
            url: server.url,
            ...credentials,
            ...(expiresUnix === undefined ? {} : { expires: { seconds: expiresUnix } }),
          };
        }),
      };
    },
  });
}
