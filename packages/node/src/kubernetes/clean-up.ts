/** Who removes envelopes from the cluster, and when: takers at once, senders and strangers after their time. */

import type { WiceError } from "@wice/core";
import { asWiceError } from "@wice/core/transport";
import { type Api, isRefused } from "./api.ts";
import type { KubernetesSettings } from "./options.ts";
import type { ObjectMetadata } from "./resource.ts";
import { isExpired } from "./status-error.ts";

export interface CleanUp {
  /** We have it: it is removed in a moment, unless another replica of us is faster. */
  taken(name: string): void;
  /** Somebody removed it. */
  gone(name: string): void;
  /** We made it: if nobody takes it, it is removed after its time, or when we close. */
  published(name: string): void;
  /** Someone listens here: now and then we look for what others left, until the returned function is called. */
  listening(): () => void;
  /** Removes what is still ours to remove, as far as that is possible within a moment. */
  close(): Promise<void>;
}

/** Replicas of one key hear of an envelope at the same time; the first removes it, and the others hear of that. */
const takerSpreadMs = 200;
/** Deletions under way at a time, so that publishing is never behind them. */
const maxDeletions = 4;
const maxTries = 4;
const retryMs = 1_000;
/** How long closing waits for deletions. */
const closeMs = 2_000;
/** What we made ourselves and remember: of a program that sends more, the rest is anybody's. */
const maxOwn = 4_096;
/** Taken envelopes that wait to be removed: the rest outlives its time. */
const maxWaiting = 16_384;
const pageItems = 100;
const maxPages = 50;
/** A look goes on past so many that live. They come oldest first, but for those of senders whose clocks are wrong. */
const maxLiving = 500;

interface Deletion {
  readonly name: string;
  tries: number;
}

export function createCleanUp(api: Api, settings: KubernetesSettings, onFailed: (error: WiceError) => void): CleanUp {
  const { lifetimeMs, sweepIntervalMs, maxSweptEnvelopes } = settings;
  const stop = new AbortController();
  /** Taken envelopes that wait for their moment. */
  const waiting = new Map<string, NodeJS.Timeout>();
  /** Those whose moment has come, by name. */
  const ready = new Map<string, Deletion>();
  const running = new Set<Promise<void>>();
  /** Names of what we published, and when. */
  const own = new Map<string, number>();
  let listeners = 0;
  let planned: { readonly timer: NodeJS.Timeout; readonly atMs: number } | undefined;
  let closing = false;

  const remove = (deletion: Deletion): void => {
    ready.set(deletion.name, deletion);
    proceed();
  };
  const proceed = (): void => {
    while (running.size < maxDeletions) {
      const [deletion] = ready.values();
      if (deletion === undefined) return;
      ready.delete(deletion.name);
      const done = removeOne(deletion).finally(() => {
        running.delete(done);
        proceed();
      });
      running.add(done);
    }
  };
  const removeOne = async (deletion: Deletion): Promise<void> => {
    const { name } = deletion;
    own.delete(name);
    try {
      const answer = await api.call({ verb: "delete", name, metadataOnly: true, signal: stop.signal });
      if (!isRefused(answer) || answer.refusal.httpStatus === 404) return;
      throw answer.error;
    } catch (reason) {
      if (stop.signal.aborted) return;
      const error = asWiceError(reason, "a deletion");
      deletion.tries += 1;
      if (!error.retryable || deletion.tries >= maxTries || closing) return onFailed(error);
      const delayMs = Math.max(error.retryAfterMs ?? 0, retryMs * 2 ** deletion.tries);
      waiting.set(
        name,
        setTimeout(() => {
          waiting.delete(name);
          remove(deletion);
        }, delayMs).unref(),
      );
    }
  };

  /**
   * Looks at everybody's envelopes and removes, of those whose time is over, our own and a bounded number of others.
   * Resolves to whether that was not all.
   */
  const sweep = async (): Promise<boolean> => {
    let left = maxSweptEnvelopes;
    let living = 0;
    for await (const { name, createdMs, serverTimeMs } of everybodys()) {
      // By the API server's clock alone: those of pods need not agree.
      if (createdMs + lifetimeMs >= serverTimeMs) {
        living += 1;
        if (living >= maxLiving) break;
        continue;
      }
      living = 0;
      if (own.has(name) || left-- > 0) remove({ name, tries: 0 });
      else if (own.size === 0) break;
    }
    return left < 0;
  };

  async function* everybodys(): AsyncGenerator<{ name: string; createdMs: number; serverTimeMs: number }> {
    let continued = "";
    for (let page = 0; page < maxPages; page++) {
      const query = { limit: String(pageItems), ...(continued !== "" && { continue: continued }) };
      const answer = await api.call({ verb: "list", query, metadataOnly: true, signal: stop.signal });
      if (isRefused(answer)) {
        // The API server remembers for minutes where a list goes on; the next look begins anew.
        if (continued !== "" && isExpired(answer.refusal)) return;
        throw answer.error;
      }
      const list = answer.body as { items?: { metadata: ObjectMetadata }[]; metadata?: { continue?: string } };
      for (const { metadata } of list.items ?? []) {
        const createdMs = Date.parse(metadata.creationTimestamp ?? "");
        if (answer.serverTimeMs === undefined || Number.isNaN(createdMs)) continue;
        // Somebody's finalizer keeps it, and only who gave it that can end it.
        if (metadata.deletionTimestamp !== undefined) continue;
        yield { name: metadata.name, createdMs, serverTimeMs: answer.serverTimeMs };
      }
      continued = list.metadata?.continue ?? "";
      if (continued === "") return;
    }
  }

  /** The next look: soon after what we published is over, else seldom. */
  const plan = (delayMs: number): void => {
    if (closing) return;
    const atMs = performance.now() + delayMs;
    if (planned !== undefined && planned.atMs <= atMs) return;
    clearTimeout(planned?.timer);
    const look = async (): Promise<void> => {
      planned = undefined;
      const over = performance.now() - lifetimeMs;
      const { isMore, again } = await sweep().then(
        (more) => ({ isMore: more, again: false }),
        (reason: unknown) => {
          const error = asWiceError(reason, "a clean-up");
          if (!stop.signal.aborted) onFailed(error);
          return { isMore: false, again: error.retryable };
        },
      );
      // What is not there any more, somebody took; what we may not look for is left to others.
      if (!again) for (const [name, publishedMs] of own) if (publishedMs < over) own.delete(name);
      if (own.size > 0 || isMore) plan(afterLifetime());
      if (listeners > 0) plan(seldom());
    };
    planned = { timer: setTimeout(() => void look(), delayMs).unref(), atMs };
  };
  // The API server tells its time in whole seconds.
  const afterLifetime = (): number => lifetimeMs * (1 + Math.random() / 4) + 1_100;
  const seldom = (): number => sweepIntervalMs * (0.5 + Math.random());

  /** Which of our own are still there. */
  const leftovers = async (): Promise<readonly string[]> => {
    if (own.size <= maxDeletions) return [...own.keys()];
    const left: string[] = [];
    for await (const { name } of everybodys()) if (own.has(name)) left.push(name);
    return left;
  };

  return {
    taken(name) {
      if (closing || waiting.has(name) || waiting.size + ready.size >= maxWaiting) return;
      const timer = setTimeout(() => {
        waiting.delete(name);
        remove({ name, tries: 0 });
      }, Math.random() * takerSpreadMs);
      waiting.set(name, timer.unref());
    },
    gone(name) {
      clearTimeout(waiting.get(name));
      waiting.delete(name);
      ready.delete(name);
      own.delete(name);
    },
    published(name) {
      own.set(name, performance.now());
      const [oldest] = own.keys();
      if (own.size > maxOwn && oldest !== undefined) own.delete(oldest);
      plan(afterLifetime());
    },
    listening() {
      listeners += 1;
      plan(seldom());
      return () => {
        listeners -= 1;
      };
    },
    async close() {
      if (closing) return;
      closing = true;
      clearTimeout(planned?.timer);
      const timer = setTimeout(() => stop.abort(), closeMs);
      try {
        for (const [name, wait] of waiting) {
          clearTimeout(wait);
          ready.set(name, { name, tries: maxTries });
        }
        waiting.clear();
        for (const name of await leftovers()) ready.set(name, { name, tries: maxTries });
        proceed();
        while (running.size > 0) await Promise.all(running);
      } catch (reason) {
        if (!stop.signal.aborted) onFailed(asWiceError(reason, "a clean-up"));
      } finally {
        clearTimeout(timer);
        stop.abort();
      }
    },
  };
}
