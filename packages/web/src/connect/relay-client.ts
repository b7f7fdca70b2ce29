/** What a transport asks of a relay: to pass an envelope on, and to hand over those for some keys. */

import { type Envelope, encodeEnvelope, type PublicKey, type TransportReceipt, WiceError } from "@wice/core";
import { Relay, Signaling, type Envelope as WireEnvelope } from "@wice/core/wire";
import { openCalls } from "./open-calls.ts";
import type { ConnectSettings } from "./options.ts";

/** Calls reject with the signal's reason or a {@link WiceError}. */
export interface RelayClient {
  publish(envelope: Envelope, signal: AbortSignal | undefined): Promise<TransportReceipt>;
  /** Empty envelopes among the others: the first says that all keys are subscribed, later ones are heartbeats. */
  listen(keys: readonly PublicKey[], signal: AbortSignal): AsyncIterable<WireEnvelope>;
}

export function createRelayClient(settings: ConnectSettings): RelayClient {
  const { heartbeatMs, publishTimeoutMs, maxEnvelopeBytes } = settings;
  const calls = openCalls(settings);
  return {
    async publish(envelope, signal) {
      // Also refuses what cannot be a box.
      const { length } = encodeEnvelope(envelope);
      if (length > maxEnvelopeBytes)
        throw new WiceError("too-large", `the envelope has ${length} bytes; ${maxEnvelopeBytes} are allowed`);
      const { sender, recipient, body, nonce } = envelope;
      const message = { sender: sender.toBytes(), recipient: recipient.toBytes(), contents: { body, nonce } };
      const { subscribers } = await calls.unary(Signaling.method.publish, message, {
        timeoutMs: publishTimeoutMs,
        signal,
      });
      return subscribers === undefined ? {} : { subscribers };
    },
    listen: (keys, signal) =>
      calls.stream(Relay.method.listen, { keys: keys.map((key) => key.toBytes()), heartbeatMs }, signal),
  };
}
