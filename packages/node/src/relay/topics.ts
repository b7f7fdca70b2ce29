/** Who subscribes to which key. A topic exists as long as it has a subscriber, and forgets everything with the last. */

import type { LiveCounters } from "./counters.ts";
import { deliver, type Subscriber } from "./subscriber.ts";
import { createBucket, type TokenBucket } from "./token-bucket.ts";

export interface Topics {
  add(subscriber: Subscriber): void;
  remove(subscriber: Subscriber): void;
  /** The topic of a key, while it has subscribers. */
  get(name: string): Topic | undefined;
  /** Every subscriber of every topic. */
  all(): Iterable<Subscriber>;
}

export interface Topic {
  readonly subscribers: Subscriber[];
  /** Limits what is published to this key. */
  readonly bucket: TokenBucket;
}

export function createTopics(counters: LiveCounters): Topics {
  const topics = new Map<string, Topic>();
  return {
    add(subscriber) {
      let topic = topics.get(subscriber.topic);
      if (topic === undefined) {
        topic = { subscribers: [], bucket: createBucket() };
        topics.set(subscriber.topic, topic);
        counters.topics = topics.size;
      }
      subscriber.index = topic.subscribers.push(subscriber) - 1;
      counters.subscriptions++;
    },
    remove(subscriber) {
      const topic = topics.get(subscriber.topic);
      if (topic === undefined || subscriber.index < 0) return;
      const last = topic.subscribers.pop() as Subscriber;
      if (last !== subscriber) {
        topic.subscribers[subscriber.index] = last;
        last.index = subscriber.index;
      }
      subscriber.index = -1;
      counters.subscriptions--;
      if (topic.subscribers.length === 0) {
        topics.delete(subscriber.topic);
        counters.topics = topics.size;
      }
    },
    get: (name) => topics.get(name),
    *all() {
      for (const topic of topics.values()) yield* topic.subscribers;
    },
  };
}

/** Gives a frame to every subscriber of a topic. Returns how many there were. */
export function fanOut(topic: Topic, frame: Uint8Array): number {
  const { subscribers } = topic;
  for (let i = 0; i < subscribers.length; i++) deliver(subscribers[i] as Subscriber, frame);
  return subscribers.length;
}
