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
  /** Ends everything, in silence, for good. */
  close(): void;
}

/** One subscription of a key. Nothing is called before `join` has returned. */
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
 * How long a replaced stream must bring nothing new before it ends. What the relay wrote to it before the next stream was
 * live may still be on its way, on a connection of its own.
 */
const drainSilenceMs = 1_000;
const drainLimitMs = 10_000;
/** Over HTTP/1.1 each takes one of six connections. Of more, the oldest ends: it has had two round trips to drain. */
const mostDraining = 2;

interface OpenStream {
  readonly keys: ReadonlySet<string>;
  stream: ListenStream;
  heardAt: number;
  /** When it last brought an envelope that no other stream had brought. */
  newsAt: number;
  /** Ends the stream once it is drained; set when it was replaced. */
  drain: Timer | undefined;
}

/** A taker's place. The key of one that is live is in the current stream, and in the one that is being opened. */
interface Seat {
  readonly taker: Taker;
  state: "waiting" | "live" | "left";
}

interface Member {
  readonly key: PublicKey;
  readonly seats: Set<Seat>;
}

export function createKeyStream(open: OpenListenStream, clock: Clock): KeyStream {
  const members = new Map<string, Member>();
  const draining = new Set<OpenStream>();
  const seen = createSeenEnvelopes();
  let current: OpenStream | undefined;
  let opening: OpenStream | undefined;
  /** When a replacement of the current stream was asked for. */
  let renewSince: number | undefined;
  let closed = false;
  /** What happens in its own time, so that callers have what they are about to get, and changes come together. */
  const timers: { update?: Timer | undefined; greet?: Timer | undefined; shrink?: Timer | undefined } = {};

  const schedule = (name: keyof typeof timers, delayMs: number, callback: () => void): void => {
    if (closed) return;
    timers[name] ??= clock.schedule(delayMs, () => {
      timers[name] = undefined;
      callback();
    });
  };
  const cancel = (name: keyof typeof timers): void => {
    timers[name]?.cancel();
    timers[name] = undefined;
  };
  const scheduleUpdate = (): void => schedule("update", 0, update);
  const scheduleGreet = (): void => schedule("greet", 0, greet);
  const scheduleShrink = (delayMs: number): void => {
    if (hasIdleKeys()) schedule("shrink", delayMs, shrink);
  };

  const isMissing = (text: string): boolean => current?.keys.has(text) !== true;
  const someMissing = (): boolean => [...members.keys()].some(isMissing);
  const hasIdleKeys = (): boolean => current !== undefined && [...current.keys].some((text) => !members.has(text));

  /** Opens the next stream where the current one does not do. */
  const update = (): void => {
    if (members.size === 0) closeStreams();
    else if (opening === undefined && (renewSince !== undefined || someMissing())) openNext();
  };
  const shrink = (): void => {
    if (opening === undefined && members.size > 0 && hasIdleKeys()) openNext();
  };
  const openNext = (): void => {
    cancel("shrink");
    const now = clock.now();
    const next: OpenStream = {
      keys: new Set(members.keys()),
      stream: { close() {} },
      heardAt: now,
      newsAt: now,
      drain: undefined,
    };
    opening = next;
    next.stream = open(
      Array.from(members.values(), ({ key }) => key),
      {
        onHeard() {
          next.heardAt = clock.now();
        },
        onLive: () => onLive(next),
        onEnvelope: (envelope) => onEnvelope(next, envelope),
        onSuspect() {
          if (next === current) renew();
        },
        onEnd: (error) => onEnd(next, error),
      },
    );
  };

  const onLive = (stream: OpenStream): void => {
    const before = current;
    current = stream;
    opening = undefined;
    renewSince = undefined;
    if (before === undefined) forgetSeen();
    else drain(before);
    // Keys that left meanwhile, and keys that came.
    scheduleShrink(shrinkDelayMs);
    if (someMissing()) scheduleUpdate();
    greet();
  };

  /** Tells takers that wait for keys of the current stream, unless the next one would take them away again. */
  const greet = (): void => {
    for (const text of current?.keys ?? []) {
      if (opening?.keys.has(text) === false) continue;
      for (const seat of members.get(text)?.seats ?? []) {
        if (seat.state !== "waiting") continue;
        seat.state = "live";
        seat.taker.onLive();
      }
    }
  };

  const onEnvelope = (stream: OpenStream, envelope: Envelope): void => {
    if (opening !== undefined || draining.size > 0) {
      if (!seen.add(envelope)) return;
      stream.newsAt = clock.now();
    }
    for (const seat of members.get(envelope.recipient.toString())?.seats ?? []) {
      if (seat.state === "live") seat.taker.onEnvelope(envelope);
    }
  };

  const onEnd = (stream: OpenStream, error: WiceError): void => {
    if (stream === opening) {
      opening = undefined;
      const silent = renewSince !== undefined && current !== undefined && current.heardAt <= renewSince;
      renewSince = undefined;
      forgetSeen();
      // Takers that wait for a key of the current stream are served by it, whatever became of the next.
      endSeats(new Set([...stream.keys].filter(isMissing)), "waiting", error);
      if (silent) loseCurrent(error);
      else scheduleGreet();
      scheduleShrink(shrinkRetryMs);
    } else if (stream === current) {
      loseCurrent(error);
    } else {
      stream.drain?.cancel();
      draining.delete(stream);
      forgetSeen();
    }
    if (members.size === 0 || someMissing()) scheduleUpdate();
  };

  const loseCurrent = (error: WiceError): void => {
    const lost = current;
    if (lost === undefined) return;
    current = undefined;
    cancel("shrink");
    lost.stream.close();
    endSeats(lost.keys, "live", lostSubscription(error));
  };

  const endSeats = (keys: ReadonlySet<string>, state: Seat["state"], error: WiceError): void => {
    const ended: Seat[] = [];
    for (const text of keys) {
      const member = members.get(text);
      for (const seat of member?.seats ?? []) {
        if (seat.state !== state) continue;
        member?.seats.delete(seat);
        ended.push(seat);
      }
      if (member?.seats.size === 0) members.delete(text);
    }
    for (const seat of ended) {
      // Whoever was told before may have ended others.
      if (closed || seat.state === "left") continue;
      seat.state = "left";
      seat.taker.onEnd(error);
    }
  };

  const drain = (stream: OpenStream): void => {
    const since = clock.now();
    const [oldest] = draining;
    if (oldest !== undefined && draining.size >= mostDraining) retire(oldest);
    draining.add(stream);
    const look = (): void => {
      const leftMs = Math.min(Math.max(since, stream.newsAt) + drainSilenceMs, since + drainLimitMs) - clock.now();
      if (leftMs <= 0) retire(stream);
      else stream.drain = clock.schedule(leftMs, look);
    };
    look();
  };
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

  const renew = (): void => {
    if (current === undefined && opening === undefined) return;
    renewSince = clock.now();
    // What was being opened may be on the way through a network that is no more.
    opening?.stream.close();
    opening = undefined;
    scheduleUpdate();
  };

  const closeStreams = (): void => {
    for (const name of ["update", "greet", "shrink"] as const) cancel(name);
    for (const stream of [current, opening]) stream?.stream.close();
    current = undefined;
    opening = undefined;
    renewSince = undefined;
    for (const stream of [...draining]) retire(stream);
    seen.clear();
  };

  return {
    join(key, taker) {
      if (closed) return () => {};
      const text = key.toString();
      const member = members.get(text) ?? { key, seats: new Set() };
      const seat: Seat = { taker, state: "waiting" };
      members.set(text, member);
      member.seats.add(seat);
      if (isMissing(text)) scheduleUpdate();
      else scheduleGreet();
      return () => {
        if (seat.state === "left") return;
        seat.state = "left";
        if (!member.seats.delete(seat) || member.seats.size > 0 || members.get(text) !== member) return;
        members.delete(text);
        if (members.size === 0) scheduleUpdate();
        else scheduleShrink(shrinkDelayMs);
      };
    },
    renew,
    // What it has, nobody else waits for; it is replaced when the page wakes up.
    sleep() {},
    close() {
      closed = true;
      for (const { seats } of members.values()) for (const seat of seats) seat.state = "left";
      members.clear();
      closeStreams();
    },
  };
}
