/** Tabs of one origin in one process, with the platform's own locks and channels, and streams in the test's hands. */

import { randomUUID } from "node:crypto";
import type { Envelope, PublicKey, WiceError } from "@wice/core";
import { createVirtualClock, type VirtualClock } from "@wice/core/testing";
import { onTestFinished } from "vitest";
import type { KeyStream, Taker } from "../../src/connect/key-stream.ts";
import { createSharedKeyStream } from "../../src/connect/shared-key-stream.ts";
import type { TabMessage } from "../../src/connect/tab-messages.ts";
import { type RecordingTaker, recordingTaker } from "./fake-streams.ts";
import { until } from "./until.ts";

/** The stream of a tab that leads. */
export interface OwnStream {
  readonly closed: boolean;
  readonly renewed: number;
  /** Keys with takers, once for each. */
  readonly keys: readonly string[];
  /** To the takers of its recipient. */
  envelope(envelope: Envelope): void;
  /** Ends the takers of a key. */
  end(key: PublicKey, error: WiceError): void;
  /** Answers joins that were held back. */
  answer(): void;
}

export interface Tab {
  readonly keys: KeyStream;
  /** All that it ever opened. */
  readonly streams: readonly OwnStream[];
  /** The one that is open. */
  readonly stream: OwnStream | undefined;
  join(key: PublicKey, hooks?: Partial<Taker>): RecordingTaker & { leave(): void };
}

export interface TabsOptions {
  /** Whether takers are live without {@link OwnStream.answer}. Default true. */
  readonly answers?: boolean;
}

export interface Tabs {
  readonly clock: VirtualClock;
  readonly name: string;
  /** A tab until the end of the test. */
  open(options?: TabsOptions): Tab;
  /** The one that leads; fails where there is not exactly one. */
  leader(): Tab;
  /** Resolves when exactly one leads. */
  untilLed(): Promise<Tab>;
  /** Names of locks that are held. Node keeps requests that were aborted in line: what waits says nothing. */
  locks(): Promise<string[]>;
  /** Somebody who speaks by hand. */
  stranger(): Stranger;
}

export interface Stranger {
  readonly heard: TabMessage[];
  post(message: unknown): void;
  /** Holds a lock until the returned function is called. `lost` resolves when it was stolen. */
  hold(lock: string, options?: LockOptions): Promise<{ release(): void; readonly lost: Promise<void> }>;
}

export function createTabs(): Tabs {
  const clock = createVirtualClock();
  const name = `wice test ${randomUUID()}`;
  const all: Tab[] = [];
  const leading = (): Tab[] => all.filter(({ stream }) => stream !== undefined);
  const tabs: Tabs = {
    clock,
    name,
    open({ answers = true } = {}) {
      const streams: OwnStream[] = [];
      const keys = createSharedKeyStream(name, () => openOwn(streams, answers), clock);
      const tab: Tab = {
        keys,
        streams,
        get stream() {
          return streams.find(({ closed }) => !closed);
        },
        join(key, hooks) {
          const taker = recordingTaker(hooks);
          return Object.assign(taker, { leave: keys.join(key, taker) });
        },
      };
      all.push(tab);
      onTestFinished(() => keys.close());
      return tab;
    },
    leader() {
      const [first, ...others] = leading();
      if (first === undefined || others.length > 0) throw new Error(`${leading().length} tabs lead`);
      return first;
    },
    async untilLed() {
      await until("one tab leads", () => leading().length === 1);
      return tabs.leader();
    },
    async locks() {
      const { held = [] } = await navigator.locks.query();
      return held.flatMap((lock) => (lock.name?.startsWith(name) ? [lock.name] : []));
    },
    stranger() {
      const channel = new BroadcastChannel(name);
      const heard: TabMessage[] = [];
      channel.onmessage = ({ data }) => void heard.push(data);
      onTestFinished(() => channel.close());
      return {
        heard,
        post: (message) => channel.postMessage(message),
        hold: (lock, options = {}) =>
          new Promise((granted) => {
            const lost = Promise.withResolvers<void>();
            const held = Promise.withResolvers<void>();
            onTestFinished(() => held.resolve());
            const hold = (): Promise<void> => {
              granted({ release: held.resolve, lost: lost.promise });
              return held.promise;
            };
            navigator.locks.request(lock, options, hold).catch(() => lost.resolve());
          }),
      };
    },
  };
  return tabs;
}

function openOwn(streams: OwnStream[], answers: boolean): KeyStream {
  const joined = new Map<Taker, { readonly key: string; live: boolean }>();
  let [closed, renewed] = [false, 0];
  const answer = (): void => {
    for (const [taker, place] of joined) {
      if (place.live) continue;
      place.live = true;
      taker.onLive();
    }
  };
  streams.push({
    get closed() {
      return closed;
    },
    get renewed() {
      return renewed;
    },
    get keys() {
      return Array.from(joined.values(), ({ key }) => key);
    },
    envelope(envelope) {
      for (const [taker, { key, live }] of joined)
        if (live && key === `${envelope.recipient}`) taker.onEnvelope(envelope);
    },
    end(ended, error) {
      for (const [taker, { key }] of [...joined]) {
        if (key !== `${ended}`) continue;
        joined.delete(taker);
        taker.onEnd(error);
      }
    },
    answer,
  });
  return {
    join(key, taker) {
      joined.set(taker, { key: `${key}`, live: false });
      if (answers) queueMicrotask(answer);
      return () => void joined.delete(taker);
    },
    renew() {
      renewed += 1;
    },
    sleep() {},
    close() {
      closed = true;
      joined.clear();
    },
  };
}
