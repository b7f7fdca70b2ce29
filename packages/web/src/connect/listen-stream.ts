/** One `Listen` of a relay: the envelopes for a fixed set of keys, until it ends. */

import { type Envelope, encodeEnvelope, isWiceError, type PublicKey, type Timer, WiceError } from "@wice/core";
import { fromWireEnvelope } from "@wice/core/transport";
import type { Envelope as WireEnvelope } from "@wice/core/wire";
import type { ConnectSettings } from "./options.ts";
import type { RelayClient } from "./relay-client.ts";

export interface ListenStream {
  /** Ends it from our side, in silence. Idempotent. */
  close(): void;
}

/** What happens to a stream. Nothing is called any more once it was closed. */
export interface ListenHandlers {
  /** All keys are subscribed. */
  onLive(): void;
  onEnvelope(envelope: Envelope): void;
  /** Something came, if only a heartbeat. */
  onHeard(): void;
  /** The page slept: nobody knows whether the stream is still there. */
  onSuspect(): void;
  /** The last call, before or after {@link ListenHandlers.onLive}. */
  onEnd(error: WiceError): void;
}

export type OpenListenStream = (keys: readonly PublicKey[], handlers: ListenHandlers) => ListenStream;

/** Heartbeats that may stay away. */
const missedLimit = 3;

/** Opens streams of one relay. `onMalformed` is called for each message that is no envelope. */
export function listenOpener(
  settings: ConnectSettings,
  client: RelayClient,
  onMalformed: () => void,
): OpenListenStream {
  const { where, clock, heartbeatMs, subscribeTimeoutMs, maxEnvelopeBytes } = settings;
  return (keys, handlers) => {
    const abort = new AbortController();
    let live = false;
    let timer: Timer | undefined;

    const close = (): void => {
      timer?.cancel();
      abort.abort();
    };
    const end = (error: WiceError): void => {
      if (abort.signal.aborted) return;
      close();
      handlers.onEnd(error);
    };
    const onMessage = (message: WireEnvelope): void => {
      handlers.onHeard();
      if (!live) {
        live = true;
        timer?.cancel();
        timer = heartbeatMs > 0 ? watchHeartbeats() : undefined;
        handlers.onLive();
      }
      if (abort.signal.aborted || (message.contents === undefined && message.sender.length === 0)) return;
      const envelope = readEnvelope(message);
      if (envelope === undefined || encodeEnvelope(envelope).length > maxEnvelopeBytes) onMalformed();
      else handlers.onEnvelope(envelope);
    };

    // Counted in looks, not in milliseconds: where a page's timers are slowed down, or stood still while it slept, its
    // connection is not thereby dead.
    let missed = 0;
    let heard = false;
    const watchHeartbeats = (): Timer => {
      const lookedAt = Date.now();
      return clock.schedule(heartbeatMs, () => {
        missed = heard ? 0 : missed + 1;
        heard = false;
        const slept = Date.now() - lookedAt > 2 * heartbeatMs + 1_000;
        if (missed >= missedLimit) {
          end(lost(where, `sent no heartbeat for ${missed * heartbeatMs} ms`));
          return;
        }
        timer = watchHeartbeats();
        if (slept && missed > 0) handlers.onSuspect();
      });
    };

    const receive = async (): Promise<void> => {
      try {
        for await (const message of client.listen(keys, abort.signal)) {
          if (abort.signal.aborted) return;
          heard = true;
          onMessage(message);
        }
        end(lost(where, "ended the stream"));
      } catch (error) {
        end(asError(error));
      }
    };

    timer = clock.schedule(subscribeTimeoutMs, () => {
      const hint = "a proxy on the way may be holding its answer back";
      end(lost(where, `did not confirm the subscription within ${subscribeTimeoutMs} ms; ${hint}`));
    });
    void receive();
    return { close };
  };
}

function readEnvelope(message: WireEnvelope): Envelope | undefined {
  try {
    return fromWireEnvelope(message);
  } catch {
    return undefined;
  }
}

/** Other errors come of an abort only, and nobody is told of those. */
function asError(error: unknown): WiceError {
  return isWiceError(error) ? error : new WiceError("internal", "the stream failed", { cause: error });
}

function lost(where: string, how: string): WiceError {
  return new WiceError("unavailable", `${where} ${how}`, { retryable: true });
}
