/** Calls in gRPC-Web, by @connectrpc/connect-web: in a module of its own, so that pages that speak Connect load none of it. */

import { Code, ConnectError } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { isWiceError, WiceError } from "@wice/core";
import { rpcStatusError } from "@wice/core/transport";
import { broken, garbage, type RelayCalls, tooLate } from "./calls.ts";
import { checkedFetch } from "./checked-fetch.ts";
import type { ConnectSettings } from "./options.ts";

export function createGrpcWebCalls(settings: ConnectSettings): RelayCalls {
  const { baseUrl, where } = settings;
  const transport = createGrpcWebTransport({ baseUrl, useBinaryFormat: true, fetch: checkedFetch(settings) });

  const errorOf = (error: unknown): WiceError => {
    const inner = error instanceof ConnectError ? error.cause : error;
    if (isWiceError(inner)) return inner;
    // How fetch says that a connection is gone; the library says by a string that the end of an answer is missing.
    if (!(error instanceof ConnectError) || inner instanceof TypeError || typeof inner === "string")
      return broken(where, inner);
    if (inner !== undefined) return garbage(where, inner);
    const pushback = error.metadata.get("grpc-retry-pushback-ms");
    const status = { status: error.code, message: error.rawMessage, ...(pushback !== null && { pushback }) };
    return rpcStatusError(status, where) ?? new WiceError("protocol", `${where} failed without a status`);
  };

  return {
    async unary(method, message, { signal, timeoutMs }) {
      try {
        return (await transport.unary(method, signal, timeoutMs, undefined, message)).message;
      } catch (error) {
        signal?.throwIfAborted();
        // Ours or the relay's: it keeps to the same limit.
        if (error instanceof ConnectError && error.code === Code.DeadlineExceeded) throw tooLate(where, timeoutMs);
        throw errorOf(error);
      }
    },
    async *stream(method, message, signal) {
      try {
        yield* (await transport.stream(method, signal, undefined, undefined, once(message))).message;
      } catch (error) {
        signal.throwIfAborted();
        throw errorOf(error);
      }
    },
  };
}

async function* once<T>(message: T): AsyncIterable<T> {
  yield message;
}
