/** Who subscribes to which key. A topic exists as long as it has a subscriber, and forgets everything with the last. */

import type { LiveCounters } from "./counters.ts";
import { deliver, type Subscriber } from "./subscriber.ts";
import { createBucket, type TokenBucket } from "./token-bucket.ts";

export interface Topics {
  /** Adds a subscriber to the topic of that name; it must not be there already. */
  add(name: string, subscriber: Subscriber): Membership;
  /** Idempotent. */
  remove(membership: Membership): void;
  /** The topic of a key, while it has subscribers. */
  get(name: string): Topic | undefined;
}

/** One subscriber of one topic. */
export interface Membership {
  readonly topic: Topic;
  readonly subscriber: Subscriber;
  /** Where it stands among the members; −1 once it has left. */
  index: number;
}

export interface Topic {
  readonly name: string;
  readonly members: Membership[];
  /** Limits what is published to this key. */
  readonly bucket: TokenBucket;
}

export function createTopics(counters: LiveCounters): Topics {
  const topics = new Map<string, Topic>();
  return {
    add(name, subscriber) {
      let topic = topics.get(name);
      if (topic === undefined) {
        topic = { name, members: [], bucket: createBucket() };
        topics.set(name, topic);
        counters.topics = topics.size;
      }
      const membership: Membership = { topic, subscriber, index: topic.members.length };
      topic.members.push(membership);
      counters.subscriptions++;
      return membership;
    },
    remove(membership) {
      const { topic, index } = membership;
      if (index < 0) return;
      const last = topic.members.pop() as Membership;
      if (last !== membership) {
        topic.members[index] = last;
        last.index = index;
      }
      membership.index = -1;
      counters.subscriptions--;
      if (topic.members.length === 0) {
        topics.delete(topic.name);
        counters.topics = topics.size;
      }
    },
    get: (name) => topics.get(name),
  };
}

/** Gives a frame to every subscriber of a topic. Returns how many there were. */
export function fanOut({ members }: Topic, frame: Uint8Array): number {
  for (let i = 0; i < members.length; i++) deliver((members[i] as Membership).subscriber, frame);
  return members.length;
}
