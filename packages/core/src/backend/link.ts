/** One subscription of one key at the transport, kept alive for as long as anybody needs it. */

import { type BackoffOptions, createBackoff, retryDelay } from "../async/backoff.ts";
import type { Clock, Timer } from "../async/clock.ts";
import { onAbort, sleep } from "../async/signal.ts";
import type { RandomBytes } from "../bytes.ts";
import type { Envelope } from "../envelope.ts";
import { asWiceError, WiceError } from "../errors.ts";
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
  /** Why it is not subscribed now, though somebody needs it. */
  readonly loss: WiceError | undefined;
  close(): void;
}

/** From the first lease to the end of the last one, or to a refusal: one try after the other to be subscribed. */
interface Run {
  readonly stop: AbortController;
  live: boolean;
  /** Told when subscribed, or why it never will be. */
  readonly waiting: Set<(failure?: { readonly reason: unknown }) => void>;
}

export function createLink(key: PublicKey, dependencies: LinkDependencies): Link {
  const { clock, random, retry, lingerMs, transport, onEnvelope, onStatus, onRefused } = dependencies;
  let leases = 0;
  let lingering: Timer | undefined;
  let running: Run | undefined;
  /** Why nothing is running. */
  let ended: WiceError | undefined;
  let latestLoss: WiceError | undefined;

  const receive = async (run: Run): Promise<void> => {
    const { signal } = run.stop;
    const delays = createBackoff(retry, random);
    for (;;) {
      let liveSince: number | undefined;
      let loss: unknown;
      try {
        const subscription = await transport.subscribe(key, { signal });
        // Between the transport's answer and this line the run may have ended.
        if (signal.aborted) return await subscription.close();
        liveSince = clock.now();
        run.live = true;
        latestLoss = undefined;
        for (const tell of [...run.waiting]) tell();
        onStatus({ type: "subscribed", key });
        for await (const envelope of subscription) await onEnvelope(envelope);
        loss = new WiceError("unavailable", "the subscription ended", { retryable: true });
      } catch (error) {
        loss = error;
      }
      run.live = false;
      if (signal.aborted) return;
      const error = asWiceError(loss, "the transport");
      latestLoss = error;
      if (!error.retryable) {
        onStatus({ type: "refused", key, error });
        throw error;
      }
      if (liveSince !== undefined && clock.now() - liveSince >= provenAfterMs) delays.reset();
      const retryInMs = retryDelay(delays, error.retryAfterMs);
      onStatus({ type: "lost", key, error, retryInMs });
      await sleep(clock, retryInMs, signal);
    }
  };

  const start = (): void => {
    const run: Run = { stop: new AbortController(), live: false, waiting: new Set() };
    running = run;
    receive(run).catch((error: unknown) => {
      if (running !== run) return;
      const refusal = asWiceError(error, "the subscription");
      stop(refusal);
      onRefused(refusal);
    });
  };

  const stop = (reason: WiceError): void => {
    lingering?.cancel();
    lingering = undefined;
    ended = reason;
    const run = running;
    running = undefined;
    if (run === undefined) return;
    run.stop.abort(reason);
    for (const tell of [...run.waiting]) tell({ reason });
  };

  return {
    get loss() {
      return latestLoss;
    },
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
      const run = running;
      if (run === undefined) throw ended ?? new WiceError("closed", "the backend is closed");
      signal?.throwIfAborted();
      if (run.live) return;
      await new Promise<void>((resolve, reject) => {
        const tell = (failure?: { readonly reason: unknown }): void => {
          run.waiting.delete(tell);
          forget();
          if (failure === undefined) resolve();
          else reject(failure.reason);
        };
        run.waiting.add(tell);
        const forget = onAbort(signal, () => tell({ reason: signal?.reason }));
      });
    },
    close: () => stop(new WiceError("closed", "the backend is closed")),
  };
}
