/**
 * One subscriber: a stream that frames are written to, and a bounded queue for the time when the stream does not take
 * them. A subscriber that does not read loses its own oldest envelopes, and costs nobody else anything.
 */

import type { Writable } from "node:stream";
import type { DropReason, LiveCounters } from "./counters.ts";
import { emptyFrame } from "./frames.ts";
import type { RelayLimits } from "./limits.ts";

/** What all subscribers of a relay share. */
export interface SubscriberContext {
  readonly counters: LiveCounters;
  readonly limits: Pick<RelayLimits, "maxQueuedEnvelopes" | "maxQueuedBytes" | "maxTotalQueuedBytes">;
}

/** Frames to write, in the order of their arrival. */
interface Waiting {
  readonly frame: Uint8Array;
  next: Waiting | undefined;
}

/** A record, not an object with methods: there may be a million of them. */
export interface Subscriber {
  readonly context: SubscriberContext;
  readonly output: Writable;
  /** A write is under way; its end is announced to {@link Subscriber.written}. */
  writing: boolean;
  /** Something was written since the last look of the heartbeat. */
  active: boolean;
  oldest: Waiting | undefined;
  newest: Waiting | undefined;
  waiting: number;
  waitingBytes: number;
  /** What the stream has of the queue, and has not written yet. */
  batchBytes: number;
  heartbeat: NodeJS.Timeout | undefined;
  /** What ends the stream in the way of its protocol; set once the subscriber shall end, called when it has all. */
  finish: (() => void) | undefined;
  readonly written: () => void;
}

/** How much of a queue is handed to the stream at once: enough to fill a client's window, whatever it is. */
const maxBatchBytes = 262_144;

export function createSubscriber(output: Writable, context: SubscriberContext): Subscriber {
  const subscriber: Subscriber = {
    context,
    output,
    writing: false,
    active: false,
    oldest: undefined,
    newest: undefined,
    waiting: 0,
    waitingBytes: 0,
    batchBytes: 0,
    heartbeat: undefined,
    finish: undefined,
    written: () => onWritten(subscriber),
  };
  return subscriber;
}

/** Writes a frame, or queues it while the stream is busy. Never waits. */
export function deliver(subscriber: Subscriber, frame: Uint8Array): void {
  subscriber.active = true;
  if (subscriber.writing) {
    enqueue(subscriber, frame);
    return;
  }
  subscriber.context.counters.delivered++;
  write(subscriber, frame);
}

/** The first frame of every subscription: "you are subscribed". */
export function greet(subscriber: Subscriber): void {
  subscriber.active = true;
  write(subscriber, emptyFrame);
}

/** Sends an empty envelope whenever nothing else was sent for `intervalMs`, give or take a timer's lateness. */
export function startHeartbeat(subscriber: Subscriber, intervalMs: number): void {
  // Looking twice per interval, a flag is enough to know that the last half was busy: no clock on the hot path.
  subscriber.heartbeat = setInterval(beat, intervalMs / 2, subscriber).unref();
}

/** Ends the stream by `finish` once everything that waits has been written. */
export function endWhenWritten(subscriber: Subscriber, finish: () => void): void {
  clearInterval(subscriber.heartbeat);
  subscriber.finish = finish;
  if (!subscriber.writing) finish();
}

/** Forgets what waits, when the stream is gone. */
export function abandon(subscriber: Subscriber): void {
  clearInterval(subscriber.heartbeat);
  subscriber.finish = undefined;
  while (subscriber.oldest !== undefined) drop(subscriber, "subscriber-gone");
  settleBatch(subscriber);
}

function write(subscriber: Subscriber, frame: Uint8Array): void {
  subscriber.writing = true;
  subscriber.output.write(frame, subscriber.written);
}

function onWritten(subscriber: Subscriber): void {
  subscriber.writing = false;
  settleBatch(subscriber);
  if (subscriber.output.destroyed) return;
  if (subscriber.oldest !== undefined) writeQueue(subscriber);
  else if (subscriber.finish !== undefined) subscriber.finish();
}

function writeQueue(subscriber: Subscriber): void {
  const { output, context } = subscriber;
  const { counters, limits } = context;
  const most = Math.min(maxBatchBytes, shareOf(limits.maxTotalQueuedBytes - counters.queuedBytes));
  subscriber.active = true;
  output.cork();
  let bytes = 0;
  for (;;) {
    const { frame } = subscriber.oldest as Waiting;
    takeOldest(subscriber);
    counters.delivered++;
    bytes += frame.length;
    if (subscriber.oldest === undefined || bytes >= most) {
      write(subscriber, frame);
      break;
    }
    output.write(frame);
  }
  // Still in memory, although no longer ours to drop.
  subscriber.batchBytes = bytes;
  counters.queuedBytes += bytes;
  output.uncork();
}

function settleBatch(subscriber: Subscriber): void {
  subscriber.context.counters.queuedBytes -= subscriber.batchBytes;
  subscriber.batchBytes = 0;
}

function enqueue(subscriber: Subscriber, frame: Uint8Array): void {
  const { limits, counters } = subscriber.context;
  const entry: Waiting = { frame, next: undefined };
  if (subscriber.newest === undefined) subscriber.oldest = entry;
  else subscriber.newest.next = entry;
  subscriber.newest = entry;
  subscriber.waiting++;
  subscriber.waitingBytes += frame.length;
  counters.queuedBytes += frame.length;
  while (subscriber.waiting > limits.maxQueuedEnvelopes) drop(subscriber, "queue-envelopes");
  while (subscriber.waitingBytes > limits.maxQueuedBytes) drop(subscriber, "queue-bytes");
  while (subscriber.waitingBytes > shareOf(limits.maxTotalQueuedBytes - counters.queuedBytes)) {
    drop(subscriber, "queue-share");
  }
}

/**
 * How long one queue may be when so many bytes of the memory for all queues are free: a quarter of what is left, as
 * network switches share their buffers. One slow subscriber gets much, many get little each, and whoever keeps up finds
 * room for its moments of delay, however many do not.
 */
function shareOf(freeBytes: number): number {
  return Math.max(0, freeBytes) / 4;
}

function drop(subscriber: Subscriber, reason: DropReason): void {
  takeOldest(subscriber);
  subscriber.context.counters.dropped[reason]++;
}

function takeOldest(subscriber: Subscriber): void {
  const { frame, next } = subscriber.oldest as Waiting;
  subscriber.oldest = next;
  if (next === undefined) subscriber.newest = undefined;
  subscriber.waiting--;
  subscriber.waitingBytes -= frame.length;
  subscriber.context.counters.queuedBytes -= frame.length;
}

function beat(subscriber: Subscriber): void {
  if (subscriber.active || subscriber.writing) {
    subscriber.active = false;
    return;
  }
  subscriber.context.counters.heartbeats++;
  greet(subscriber);
}
