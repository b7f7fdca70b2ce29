/** A gRPC signaling server as an envelope transport. */

import { create, toBinary } from "@bufbuild/protobuf";
import { type EnvelopeTransport, encodeEnvelope, WiceError } from "@wice/core";
import { abortable } from "@wice/core/transport";
import { SubscribeParamsSchema } from "@wice/core/wire";
import { createChannel } from "./channel.ts";
import { frameMessage } from "./framing.ts";
import { requestHeaders } from "./method.ts";
import { type GrpcTransportOptions, resolveSettings } from "./options.ts";
import { publish } from "./publish.ts";
import { type LiveSubscription, subscribe } from "./subscribe.ts";

/** An {@link EnvelopeTransport} that counts what it had to drop. */
export interface GrpcTransport extends EnvelopeTransport {
  readonly dropped: GrpcDropped;
}

/** Messages that subscriptions dropped so far: a stranger's fault, which ends nothing. */
export interface GrpcDropped {
  /** No envelopes. */
  readonly malformed: number;
  /** Larger than `maxEnvelopeBytes`. */
  readonly oversized: number;
}

/**
 * Speaks to a wice relay or to a cunicu signaling server. Connects with the first call and shares one HTTP/2
 * connection among all; every call is one try, so give it to `createBackend`, which tries again.
 *
 * A live subscription or a pending call keeps the process alive; an idle connection does not.
 *
 * Throws `invalid-url` and `invalid-argument`. Calls reject with
 * - `unavailable`, retryable: refused, broken, silent or shutting down; not retryable: a certificate that is refused;
 * - `resource-exhausted`, retryable: a quota is full, with `retryAfterMs` where the server says so;
 * - `too-large`: larger than `maxEnvelopeBytes`, found before sending;
 * - `invalid-envelope`, `unauthenticated`, `permission-denied`, `unsupported`: the server refuses;
 * - `protocol`: TLS where there is none or the reverse, not HTTP/2, not gRPC;
 * - `closed`: the transport was closed.
 *
 * ```ts
 * const transport = createGrpcTransport({ url: "grpc://127.0.0.1:8080?insecure=true" });
 * const subscription = await transport.subscribe(PublicKey.parse("YU6BcM9nME+e2rYQuu0KYQ0OZgC3U0EfbSfotMkssiQ="));
 * ```
 */
export function createGrpcTransport(options: GrpcTransportOptions): GrpcTransport {
  const settings = resolveSettings(options);
  const { endpoint, publishTimeoutMs, subscribeTimeoutMs, heartbeatMs, maxEnvelopeBytes } = settings;
  const channel = createChannel(settings);
  const subscriptions = new Set<LiveSubscription>();
  const dropped = { malformed: 0, oversized: 0 };
  const publishHeaders = requestHeaders(endpoint, "/cunicu.signaling.Signaling/Publish", publishTimeoutMs);
  const subscribeHeaders = requestHeaders(endpoint, "/cunicu.signaling.Signaling/Subscribe");

  return {
    dropped,

    async publish(envelope, { signal } = {}) {
      signal?.throwIfAborted();
      const message = encodeEnvelope(envelope);
      if (message.length > maxEnvelopeBytes) {
        throw new WiceError("too-large", `the envelope has ${message.length} bytes; ${maxEnvelopeBytes} are allowed`);
      }
      const connection = await abortable(channel.connection(), signal);
      const request = frameMessage(message);
      return publish(connection, { headers: publishHeaders, request, timeoutMs: publishTimeoutMs, signal });
    },

    async subscribe(recipient, { signal } = {}) {
      signal?.throwIfAborted();
      const params = create(SubscribeParamsSchema, { key: recipient.toBytes(), heartbeatMs });
      const request = frameMessage(toBinary(SubscribeParamsSchema, params));
      const connection = await abortable(channel.connection(), signal);
      const subscription = await subscribe(connection, {
        headers: subscribeHeaders,
        request,
        timeoutMs: subscribeTimeoutMs,
        heartbeatMs,
        maxEnvelopeBytes,
        signal,
        onDropped(reason) {
          dropped[reason] += 1;
        },
      });
      subscriptions.add(subscription);
      subscription.onOver(() => subscriptions.delete(subscription));
      return subscription;
    },

    async close() {
      for (const subscription of [...subscriptions]) await subscription.close();
      await channel.close();
    },
  };
}
