/** A Subscribe or Listen from its request to its end, whatever protocol it came in by. */

import type { Writable } from "node:stream";
import { fromBinary } from "@bufbuild/protobuf";
import { ListenRequestSchema, SubscribeParamsSchema } from "@wice/core/wire";
import type { Applicant } from "./admission.ts";
import { type Flaw, keyFlaw, topicOf } from "./check-envelope.ts";
import type { AddressState } from "./connections.ts";
import type { RelayCore } from "./core.ts";
import { longestTimerMs, type RelayLimits } from "./limits.ts";
import { deadlineOver, relayStops, type Status } from "./status.ts";
import { abandon, createSubscriber, endWhenWritten, greet, type Subscriber, startHeartbeat } from "./subscriber.ts";
import type { Membership } from "./topics.ts";

/** What a client asked for. */
export interface SubscriptionRequest {
  /** Each once. */
  readonly topics: readonly string[];
  /** 0 for none. */
  readonly heartbeatMs: number;
}

/** How a protocol tells its client. The methods may be shared by all calls: they are called as methods. */
export interface Subscribing {
  readonly output: Writable;
  readonly address: AddressState;
  /** All keys are subscribed; frames follow. */
  start(): void;
  /** Instead of {@link Subscribing.start}. */
  refuse(status: Status): void;
  /** After {@link Subscribing.start}, once everything that waited is written. */
  end(status: Status): void;
}

/** A record: there may be a million of them. */
export interface Subscription {
  readonly core: RelayCore;
  readonly client: Subscribing;
  readonly heartbeatMs: number;
  applicant: Applicant | undefined;
  subscriber: Subscriber | undefined;
  memberships: readonly Membership[];
  timer: NodeJS.Timeout | undefined;
  over: boolean;
}

const heartbeatRangeMs = { least: 100, most: 600_000 };

/** Reads the message of a Subscribe. A string is the flaw that it is refused for. */
export function readSubscribe(message: Uint8Array): SubscriptionRequest | Flaw {
  try {
    const { key, heartbeatMs } = fromBinary(SubscribeParamsSchema, message);
    return checkKeys([key], heartbeatMs);
  } catch {
    return "not a subscription: malformed protobuf";
  }
}

/** Reads the message of a Listen. A string is the flaw that it is refused for. */
export function readListen(message: Uint8Array, limits: RelayLimits): SubscriptionRequest | Flaw {
  try {
    const { keys, heartbeatMs } = fromBinary(ListenRequestSchema, message);
    return checkListen(keys, heartbeatMs, limits);
  } catch {
    return "not a request to listen: malformed protobuf";
  }
}

export function checkListen(
  keys: readonly Uint8Array[],
  heartbeatMs: number,
  limits: RelayLimits,
): SubscriptionRequest | Flaw {
  if (keys.length === 0) return "keys: there are none";
  const request = checkKeys(keys, heartbeatMs);
  if (typeof request !== "string" && request.topics.length > limits.maxKeysPerListen)
    return `keys: at most ${limits.maxKeysPerListen} in one call`;
  return request;
}

export function checkKeys(keys: readonly Uint8Array[], heartbeatMs: number): SubscriptionRequest | Flaw {
  const topics = new Set<string>();
  for (const key of keys) {
    const flaw = keyFlaw("key", key);
    if (flaw !== undefined) return flaw;
    topics.add(topicOf(Buffer.from(key.buffer, key.byteOffset, key.length)));
  }
  return { topics: [...topics], heartbeatMs };
}

/** How large the message of a Listen may be: its keys twice over. */
export function maxListenBytes({ maxKeysPerListen }: RelayLimits): number {
  return 64 + 2 * 34 * maxKeysPerListen;
}

/** Subscribes now, later, or not at all; the client is told which. `deadlineMs` is by `performance.now()`. */
export function openSubscription(
  core: RelayCore,
  { topics, heartbeatMs }: SubscriptionRequest,
  client: Subscribing,
  deadlineMs: number = Number.POSITIVE_INFINITY,
): Subscription {
  const subscription: Subscription = {
    core,
    client,
    heartbeatMs,
    applicant: undefined,
    subscriber: undefined,
    memberships: [],
    timer: undefined,
    over: false,
  };
  if (core.draining) {
    subscription.over = true;
    client.refuse(relayStops);
    return subscription;
  }
  if (deadlineMs !== Number.POSITIVE_INFINITY) {
    const leftMs = Math.max(1, Math.min(deadlineMs - performance.now(), longestTimerMs));
    subscription.timer = setTimeout(endSubscription, leftMs, subscription, deadlineOver).unref();
  }
  const applicant: Applicant = {
    topics,
    address: client.address,
    fullTopic: undefined,
    admit: () => start(subscription, topics),
    refuse: () => refuse(subscription, core.draining ? relayStops : overQuota(core.limits)),
  };
  subscription.applicant = applicant;
  core.admission.apply(applicant);
  return subscription;
}

function start(subscription: Subscription, topics: readonly string[]): void {
  const { core, client, heartbeatMs } = subscription;
  const subscriber = createSubscriber(client.output, core);
  subscription.applicant = undefined;
  subscription.subscriber = subscriber;
  subscription.memberships = topics.map((topic) => core.topics.add(topic, subscriber));
  core.subscriptions.add(subscription);
  client.start();
  greet(subscriber);
  if (heartbeatMs > 0) {
    startHeartbeat(subscriber, Math.min(Math.max(heartbeatMs, heartbeatRangeMs.least), heartbeatRangeMs.most));
  }
}

function overQuota({ maxSubscribeDelayMs }: RelayLimits): Status {
  return {
    code: "resource-exhausted",
    message: "too many subscriptions of this key or address",
    retryAfterMs: Math.min(maxSubscribeDelayMs, 10_000),
  };
}

function refuse(subscription: Subscription, status: Status): void {
  const { core, client, applicant } = subscription;
  if (subscription.over) return;
  subscription.over = true;
  clearTimeout(subscription.timer);
  if (applicant !== undefined) core.admission.withdraw(applicant);
  subscription.applicant = undefined;
  client.refuse(status);
}

/** Ends it from our side, once everything that waits is written. Idempotent. */
function endSubscription(subscription: Subscription, status: Status): void {
  const { client, subscriber } = subscription;
  if (subscriber === undefined) {
    refuse(subscription, status);
    return;
  }
  if (subscription.over) return;
  subscription.over = true;
  // Nothing may be written to a stream that has ended, not even by a publication that is under way.
  leaveTopics(subscription);
  endWhenWritten(subscriber, () => client.end(status));
}

/** Its stream is gone, however it came to that. Idempotent. */
export function forgetSubscription(subscription: Subscription): void {
  const { core, client, applicant, subscriber, memberships } = subscription;
  subscription.over = true;
  clearTimeout(subscription.timer);
  if (applicant !== undefined) core.admission.withdraw(applicant);
  subscription.applicant = undefined;
  if (subscriber === undefined || !core.subscriptions.delete(subscription)) return;
  leaveTopics(subscription);
  abandon(subscriber);
  core.admission.release(client.address, memberships.length);
}

function leaveTopics({ core, memberships }: Subscription): void {
  for (const membership of memberships) core.topics.remove(membership);
}

/** Ends every live subscription because the relay stops. */
export function endAllSubscriptions(core: RelayCore): void {
  for (const subscription of [...core.subscriptions]) endSubscription(subscription, relayStops);
}
