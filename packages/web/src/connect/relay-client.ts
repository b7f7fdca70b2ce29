/** Calls to a relay by @connectrpc/connect-web, with failures in wice's own terms. */

import { create } from "@bufbuild/protobuf";
import { type CallOptions, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import {
  type Envelope,
  encodeEnvelope,
  isWiceError,
  type PublicKey,
  type TransportReceipt,
  WiceError,
} from "@wice/core";
import { rpcStatusError } from "@wice/core/transport";
import { EnvelopeSchema, Relay, Signaling, type Envelope as WireEnvelope } from "@wice/core/wire";
import { checkedFetch } from "./checked-fetch.ts";
import type { ConnectSettings } from "./options.ts";

export interface RelayClient {
  /** Rejects with the signal's reason or a {@link WiceError}. */
  publish(envelope: Envelope, signal: AbortSignal | undefined): Promise<TransportReceipt>;
  /** Empty envelopes among the others: the first says that all keys are subscribed, later ones are heartbeats. */
  listen(keys: readonly PublicKey[], signal: AbortSignal): AsyncIterable<WireEnvelope>;
  /** What an error of {@link RelayClient.listen} means. */
  errorOf(error: unknown): WiceError;
}

export function createRelayClient(settings: ConnectSettings): RelayClient {
  const { baseUrl, where, protocol, heartbeatMs, publishTimeoutMs, maxEnvelopeBytes } = settings;
  const make = protocol === "connect" ? createConnectTransport : createGrpcWebTransport;
  const transport = make({ baseUrl, useBinaryFormat: true, fetch: checkedFetch(settings) });
  const signaling = createClient(Signaling, transport);
  const relay = createClient(Relay, transport);

  const broke = (cause: unknown): WiceError =>
    new WiceError("unavailable", `the connection to ${where} broke`, { cause, retryable: true });
  const errorOf = (error: unknown): WiceError => {
    const inner = error instanceof ConnectError ? error.cause : error;
    if (isWiceError(inner)) return inner;
    // How fetch says that a connection is gone; the library says by a string that the end of an answer is missing.
    if (!(error instanceof ConnectError) || inner instanceof TypeError || typeof inner === "string")
      return broke(inner);
    if (inner !== undefined) return new WiceError("protocol", `${where} answered with garbage`, { cause: inner });
    const pushback = error.metadata.get("grpc-retry-pushback-ms");
    const status = { status: error.code, message: error.rawMessage, ...(pushback !== null && { pushback }) };
    return rpcStatusError(status, where) ?? new WiceError("protocol", `${where} failed without a status`);
  };

  return {
    async publish(envelope, signal) {
      // Also refuses what cannot be a box.
      const { length } = encodeEnvelope(envelope);
      if (length > maxEnvelopeBytes)
        throw new WiceError("too-large", `the envelope has ${length} bytes; ${maxEnvelopeBytes} are allowed`);
      const { sender, recipient, body, nonce } = envelope;
      const contents = { body, nonce };
      const message = create(EnvelopeSchema, { sender: sender.toBytes(), recipient: recipient.toBytes(), contents });
      const options: CallOptions = { timeoutMs: publishTimeoutMs, ...(signal !== undefined && { signal }) };
      try {
        const { subscribers } = await signaling.publish(message, options);
        return subscribers === undefined ? {} : { subscribers };
      } catch (error) {
        signal?.throwIfAborted();
        // Ours or the relay's: it keeps to the same limit.
        if (error instanceof ConnectError && error.code === Code.DeadlineExceeded) {
          const text = `${where} did not answer within ${publishTimeoutMs} ms`;
          throw new WiceError("unavailable", text, { retryable: true });
        }
        throw errorOf(error);
      }
    },
    listen: (keys, signal) => relay.listen({ keys: keys.map((key) => key.toBytes()), heartbeatMs }, { signal }),
    errorOf,
  };
}
