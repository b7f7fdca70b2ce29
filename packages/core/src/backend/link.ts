/** One subscription of one key at the transport, kept alive for as long as anybody needs it. */

import { type BackoffOptions, createBackoff } from "../async/backoff.ts";
import type { Clock, Timer } from "../async/clock.ts";
import { abortable, sleep } from "../async/signal.ts";
import type { RandomBytes } from "../bytes.ts";
import type { Envelope } from "../envelope.ts";
import { isWiceError, WiceError } from "../errors.ts";
import type { PublicKey } from "../public-key.ts";
import type { EnvelopeTransport } from "../transport/transport.ts";
import type { BackendStatus } from "./backend.ts";

/** A subscription that lived this long was a good one: the next loss is met with the shortest delay again. */
const provenAfterMs = 10_000;

export interface LinkDependencies {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly retry: BackoffOptions;
  /** How long the subscription outlives the last lease. */
  readonly lingerMs: number;
  readonly transport: EnvelopeTransport;
  onEnvelope(envelope: Envelope): Promise<void>;
  onStatus(status: BackendStatus): void;
  /** The transport refuses; nothing will be received until somebody acquires the link again. */
  onRefused(error: WiceError): void;
}

export interface Link {
  /** Needs the subscription until the returned function is called. */
  acquire(): () => void;
  /** Resolves when subscribed. Rejects when refused, closed, or with the signal's reason. */
  live(signal: AbortSignal | undefined): Promise<void>;
  close(): void;
}

export function createLink(key: PublicKey, dependencies: LinkDependencies): Link {
  const { clock, random, retry, lingerMs, transport, onEnvelope, onStatus, onRefused } = dependencies;
  let leases = 0;
  let lingering: Timer | undefined;
  let running: { readonly stop: AbortController; live: Promise<void>; becameLive: () => void } | undefined;

  const receive = async (signal: AbortSignal): Promise<void> => {
    const delays = createBackoff(retry, random);
    for (;;) {
      let liveSince: number | undefined;
      let loss: unknown;
      try {
        const subscription = await transport.subscribe(key, { signal });
        liveSince = clock.now();
        running?.becameLive();
        onStatus({ type: "subscribed", key });
        for await (const envelope of subscription) await onEnvelope(envelope);
        loss = new WiceError("unavailable", "the subscription ended", { retryable: true });
      } catch (error) {
        loss = error;
      }
      if (signal.aborted) return;
      const error = isWiceError(loss) ? loss : new WiceError("internal", "the transport failed", { cause: loss });
      if (!error.retryable) {
        onStatus({ type: "refused", key, error });
        throw error;
      }
      if (liveSince !== undefined) {
        if (clock.now() - liveSince >= provenAfterMs) delays.reset();
        expectLive();
      }
      const retryInMs = Math.max(delays.next(), error.retryAfterMs ?? 0);
      onStatus({ type: "lost", key, error, retryInMs });
      await sleep(clock, retryInMs, signal);
    }
  };

  const expectLive = (): void => {
    if (running === undefined) return;
    const { promise, resolve } = deferred();
    running.live = promise;
    running.becameLive = resolve;
  };

  const start = (): void => {
    const { promise, resolve } = deferred();
    const mine = { stop: new AbortController(), live: promise, becameLive: resolve };
    running = mine;
    receive(mine.stop.signal).catch((error: unknown) => {
      if (running !== mine || mine.stop.signal.aborted) return;
      running = undefined;
      refusal = isWiceError(error) ? error : new WiceError("internal", "the subscription failed", { cause: error });
      mine.stop.abort(refusal);
      onRefused(refusal);
    });
  };
  let refusal: WiceError | undefined;

  const stop = (reason: WiceError): void => {
    lingering?.cancel();
    lingering = undefined;
    refusal = reason;
    running?.stop.abort(reason);
    running = undefined;
  };

  return {
    acquire() {
      leases += 1;
      lingering?.cancel();
      lingering = undefined;
      if (running === undefined) start();
      let released = false;
      return () => {
        if (released) return;
        released = true;
        leases -= 1;
        if (leases > 0 || running === undefined) return;
        const idle = new WiceError("closed", "nobody needs the subscription any more");
        if (lingerMs === 0) stop(idle);
        else lingering = clock.schedule(lingerMs, () => stop(idle));
      };
    },
    async live(signal) {
      const current = running;
      if (current === undefined) throw refusal ?? new WiceError("closed", "the backend is closed");
      // Either outlives the other: the caller's abort, and the end of the link.
      const ended = abortable(current.live, current.stop.signal);
      ended.catch(() => {});
      await abortable(ended, signal);
    },
    close: () => stop(new WiceError("closed", "the backend is closed")),
  };
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
