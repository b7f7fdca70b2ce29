/** The connection that all calls of a transport share: opened when needed, replaced when it ends. */

import { WiceError } from "@wice/core";
import { type Connection, openConnection } from "./connection.ts";
import type { GrpcSettings } from "./options.ts";

export interface Channel {
  /** A connection that takes calls: the one there is, or a new one. One try. */
  connection(): Promise<Connection>;
  /** Ends every connection and every call with `closed`. Idempotent. */
  close(): Promise<void>;
}

export function createChannel(settings: GrpcSettings): Channel {
  const closing = new AbortController();
  /** Also those that take no new calls, until their last call has ended. */
  const connections = new Set<Promise<Connection>>();
  let current: { readonly promise: Promise<Connection>; connection?: Connection } | undefined;
  let pingsAllowed = true;

  const open = (): Promise<Connection> => {
    const promise = openConnection({
      settings,
      signal: closing.signal,
      pingsAllowed: () => pingsAllowed,
      onTooManyPings() {
        pingsAllowed = false;
      },
      onClose() {
        connections.delete(promise);
        if (current?.promise === promise) current = undefined;
      },
    });
    const opening: typeof current = { promise };
    connections.add(promise);
    current = opening;
    promise.then(
      (connection) => {
        opening.connection = connection;
      },
      () => {},
    );
    return promise;
  };

  return {
    connection() {
      if (closing.signal.aborted) return Promise.reject(closing.signal.reason);
      if (current !== undefined && (current.connection?.open ?? true)) return current.promise;
      return open();
    },
    async close() {
      const reason = new WiceError("closed", "the transport was closed");
      closing.abort(reason);
      const ended = [...connections].map(async (promise) => (await promise).close(reason));
      await Promise.allSettled(ended);
    },
  };
}
