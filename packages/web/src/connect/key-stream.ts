/**
 * Envelopes for a changing set of keys over one stream of the relay. A stream's keys are fixed, so a change opens the
 * next stream before the old one ends, and no envelope falls between the two.
 */

import type { Clock, Envelope, PublicKey, Timer, WiceError } from "@wice/core";
import { lostSubscription } from "@wice/core/transport";
import type { ListenStream, OpenListenStream } from "./listen-stream.ts";
import { createSeenEnvelopes } from "./seen-envelopes.ts";

export interface KeyStream {
  /** Subscribes a key for one taker. Returns what ends that, in silence; idempotent. */
  join(key: PublicKey, taker: Taker): () => void;
  /** The network changed, or the page slept: replaces the stream, which may be dead without knowing. */
  renew(): void;
  /** The page is about to be frozen: gives back what others need meanwhile. */
  sleep(): void;
  /** Ends everything, in silence. */
  close(): void;
}

/** One subscription of a key. */
export interface Taker {
  /** Whatever is published from now on arrives. */
  onLive(): void;
  onEnvelope(envelope: Envelope): void;
  /** Could not be subscribed, or is not any more. Nothing is called after it. */
  onEnd(error: WiceError): void;
}

/** How long a key without takers stays in the stream: replacing it for each key that leaves would be a waste. */
const shrinkDelayMs = 1_000;
const shrinkRetryMs = 30_000;

/**
 * How long a replaced stream must be silent before it ends. What the relay wrote to it before the next stream was live
 * may still be on its way, on a connection of its own.
 */
const drainSilenceMs = 1_000;
const drainLimitMs = 10_000;
/** Over HTTP/1.1 each takes one of six connections. Of more, the oldest ends: it has had two round trips to drain. */
const mostDraining = 2;

interface OpenStream {
  readonly keys: ReadonlySet<string>;
  stream: ListenStream;
  heardAt: number;
  /** Ends the stream once it is drained; set when it was replaced. */
  drain: Timer | undefined;
}

interface Member {
  readonly key: PublicKey;
  /** Whether it was told that it is live. */
  readonly takers: Map<Taker, boolean>;
}

export function createKeyStream(open: OpenListenStream, clock: Clock): KeyStream {
  const members = new Map<string, Member>();
  const draining = new Set<OpenStream>();
  const seen = createSeenEnvelopes<OpenStream>();
  let current: OpenStream | undefined;
  let opening: OpenStream | undefined;
  /** When a replacement of the current stream was asked for. */
  let renewSince: number | undefined;
  let update: Timer | undefined;
  let shrink: Timer | undefined;

  const retire = (stream: OpenStream): void => {
    stream.drain?.cancel();
    draining.delete(stream);
    stream.stream.close();
    forgetSeen();
  };
  /** Two streams can carry the same envelope only while there are two. */
  const forgetSeen = (): void => {
    if (opening === undefined && draining.size === 0) seen.clear();
  };
  const drain = (stream: OpenStream): void => {
    const since = clock.now();
    const [oldest] = draining;
    if (oldest !== undefined && draining.size >= mostDraining) retire(oldest);
    draining.add(stream);
    const look = (): void => {
      const now = clock.now();
      const leftMs = Math.min(stream.heardAt + drainSilenceMs, since + drainLimitMs) - now;
      if (leftMs <= 0) retire(stream);
      else stream.drain = clock.schedule(leftMs, look);
    };
    stream.drain = clock.schedule(drainSilenceMs, look);
  };

  const scheduleUpdate = (): void => {
    update ??= clock.schedule(0, () => {
      update = undefined;
      openNext();
    });
  };
  const scheduleShrink = (delayMs: number): void => {
    shrink ??= clock.schedule(delayMs, openNext);
  };
  const isMissing = (text: string): boolean => current?.keys.has(text) !== true;

  const openNext = (): void => {
    shrink?.cancel();
    shrink = undefined;
    if (members.size === 0) {
      closeAll();
      return;
    }
    // Its end brings us here again.
    if (opening !== undefined) return;
    const missing = [...members.keys()].some(isMissing);
    if (!missing && renewSince === undefined && current?.keys.size === members.size) return;
    const next: OpenStream = {
      keys: new Set(members.keys()),
      stream: { close() {} },
      heardAt: clock.now(),
      drain: undefined,
    };
    opening = next;
    next.stream = open(
      [...members.values()].map(({ key }) => key),
      {
        onHeard() {
          next.heardAt = clock.now();
        },
        onLive: () => onLive(next),
        onEnvelope: (envelope) => onEnvelope(next, envelope),
        onSuspect: renew,
        onEnd: (error) => onEnd(next, error),
      },
    );
  };

  const onLive = (stream: OpenStream): void => {
    if (current !== undefined) drain(current);
    current = stream;
    opening = undefined;
    renewSince = undefined;
    for (const text of stream.keys) {
      const member = members.get(text);
      for (const [taker, live] of member?.takers ?? []) {
        if (live) continue;
        member?.takers.set(taker, true);
        taker.onLive();
      }
    }
    scheduleUpdate();
  };

  const onEnvelope = (stream: OpenStream, envelope: Envelope): void => {
    if (opening !== undefined || draining.size > 0) {
      const first = seen.firstFrom(envelope, stream);
      // An old stream that brings what the new one brought already has brought all that came before.
      if (first === current && draining.has(stream)) retire(stream);
      if (first !== undefined) return;
    }
    const takers = members.get(envelope.recipient.toString())?.takers;
    for (const [taker, live] of takers ?? []) if (live) taker.onEnvelope(envelope);
  };

  /** Ends the takers of a stream's keys that are live, or that are not. */
  const endTakers = (keys: ReadonlySet<string>, wereLive: boolean, error: WiceError): void => {
    const ended: Taker[] = [];
    for (const text of keys) {
      const member = members.get(text);
      for (const [taker, live] of member?.takers ?? []) {
        if (live !== wereLive) continue;
        member?.takers.delete(taker);
        ended.push(taker);
      }
      if (member?.takers.size === 0) members.delete(text);
    }
    for (const taker of ended) taker.onEnd(error);
  };

  const loseCurrent = (error: WiceError): void => {
    const lost = current;
    if (lost === undefined) return;
    current = undefined;
    lost.stream.close();
    endTakers(lost.keys, true, lostSubscription(error));
  };

  const onEnd = (stream: OpenStream, error: WiceError): void => {
    if (stream === opening) {
      opening = undefined;
      const silent = renewSince !== undefined && current !== undefined && current.heardAt <= renewSince;
      renewSince = undefined;
      forgetSeen();
      // Takers that wait for a key of the current stream are served by it, whatever became of the next.
      endTakers(new Set([...stream.keys].filter(isMissing)), false, error);
      if (silent) loseCurrent(error);
      else if (![...members.keys()].some(isMissing)) {
        scheduleShrink(shrinkRetryMs);
        return;
      }
    } else if (stream === current) {
      loseCurrent(error);
    } else {
      stream.drain?.cancel();
      draining.delete(stream);
      forgetSeen();
    }
    scheduleUpdate();
  };

  const renew = (): void => {
    if (current === undefined && opening === undefined) return;
    renewSince = clock.now();
    // What was being opened may be on the way through a network that is no more.
    opening?.stream.close();
    opening = undefined;
    scheduleUpdate();
  };

  const closeAll = (): void => {
    for (const timer of [update, shrink]) timer?.cancel();
    update = undefined;
    shrink = undefined;
    for (const stream of [current, opening]) stream?.stream.close();
    current = undefined;
    opening = undefined;
    renewSince = undefined;
    for (const stream of [...draining]) retire(stream);
    seen.clear();
  };

  return {
    join(key, taker) {
      const text = key.toString();
      const member = members.get(text) ?? { key, takers: new Map() };
      members.set(text, member);
      member.takers.set(taker, false);
      if (current?.keys.has(text) === true) {
        // Later, so that the caller has what it is about to get.
        clock.schedule(0, () => {
          if (member.takers.get(taker) !== false || current?.keys.has(text) !== true) return;
          member.takers.set(taker, true);
          taker.onLive();
        });
      } else scheduleUpdate();
      return () => {
        if (!member.takers.delete(taker) || member.takers.size > 0 || members.get(text) !== member) return;
        members.delete(text);
        if (members.size === 0) scheduleUpdate();
        else scheduleShrink(shrinkDelayMs);
      };
    },
    renew,
    // What it has, nobody else waits for; it is replaced when the page wakes up.
    sleep() {},
    close() {
      members.clear();
      closeAll();
    },
  };
}
