/** Calls in the protocol that the settings ask for. */

import { WiceError } from "@wice/core";
import { abortable } from "@wice/core/transport";
import type { RelayCalls } from "./calls.ts";
import { createConnectCalls } from "./connect-calls.ts";
import type { ConnectSettings } from "./options.ts";

export function openCalls(settings: ConnectSettings): RelayCalls {
  if (settings.protocol === "connect") return createConnectCalls(settings);
  // Few pages need it: it is loaded by those that do.
  let loaded: Promise<RelayCalls> | undefined;
  const load = (signal: AbortSignal | undefined): Promise<RelayCalls> => {
    signal?.throwIfAborted();
    loaded ??= import("./grpc-web-calls.ts").then(
      ({ createGrpcWebCalls }) => createGrpcWebCalls(settings),
      (cause) => {
        // The network may be back when it is wanted again.
        loaded = undefined;
        throw new WiceError("unavailable", "the page's own code for gRPC-Web cannot be loaded", {
          cause,
          retryable: true,
        });
      },
    );
    return abortable(loaded, signal);
  };
  return {
    unary: async (method, message, options) => (await load(options.signal)).unary(method, message, options),
    async *stream(method, message, signal) {
      yield* (await load(signal)).stream(method, message, signal);
    },
  };
}
