/** Streams of a relay in the hands of the test. */

import type { Envelope, PublicKey, WiceError } from "@wice/core";
import type { Taker } from "../../src/connect/key-stream.ts";
import type { ListenHandlers, OpenListenStream } from "../../src/connect/listen-stream.ts";

export interface FakeStream {
  readonly keys: readonly string[];
  /** The key stream ended it. */
  readonly closed: boolean;
  /** Ended, by either side. */
  readonly over: boolean;
  live(): void;
  envelope(envelope: Envelope): void;
  heartbeat(): void;
  suspect(): void;
  end(error: WiceError): void;
}

export interface FakeStreams {
  readonly open: OpenListenStream;
  /** All that were ever opened, in order. */
  readonly all: readonly FakeStream[];
  /** Those that neither side has ended. */
  readonly running: readonly FakeStream[];
  readonly last: FakeStream;
}

export function createFakeStreams(onOpen: (stream: FakeStream) => void = () => {}): FakeStreams {
  const all: FakeStream[] = [];
  return {
    all,
    get running() {
      return all.filter(({ over }) => !over);
    },
    get last() {
      const last = all.at(-1);
      if (last === undefined) throw new Error("no stream was opened");
      return last;
    },
    open(keys: readonly PublicKey[], handlers: ListenHandlers) {
      let [closed, over] = [false, false];
      /** As the real one: it calls nothing once it is over. */
      const unlessOver = (call: () => void): void => {
        if (!over) call();
      };
      const stream: FakeStream = {
        keys: keys.map(String),
        get closed() {
          return closed;
        },
        get over() {
          return over;
        },
        live: () =>
          unlessOver(() => {
            handlers.onHeard();
            handlers.onLive();
          }),
        envelope: (envelope) =>
          unlessOver(() => {
            handlers.onHeard();
            handlers.onEnvelope(envelope);
          }),
        heartbeat: () => unlessOver(handlers.onHeard),
        suspect: () => unlessOver(handlers.onSuspect),
        end: (error) =>
          unlessOver(() => {
            over = true;
            handlers.onEnd(error);
          }),
      };
      all.push(stream);
      onOpen(stream);
      return {
        close() {
          closed = true;
          over = true;
        },
      };
    },
  };
}

export interface RecordingTaker extends Taker {
  /** What it was told, in order. */
  readonly told: ("live" | Envelope | WiceError)[];
  readonly live: boolean;
  readonly envelopes: readonly Envelope[];
  readonly end: WiceError | undefined;
}

/** Takes down what it is told. `hooks` are called besides. */
export function recordingTaker(hooks: Partial<Taker> = {}): RecordingTaker {
  const told: RecordingTaker["told"] = [];
  return {
    told,
    get live() {
      return told.includes("live");
    },
    get envelopes() {
      return told.filter((each): each is Envelope => typeof each === "object" && "nonce" in each);
    },
    get end() {
      return told.find((each): each is WiceError => each instanceof Error);
    },
    onLive() {
      told.push("live");
      hooks.onLive?.();
    },
    onEnvelope(envelope) {
      told.push(envelope);
      hooks.onEnvelope?.(envelope);
    },
    onEnd(error) {
      told.push(error);
      hooks.onEnd?.(error);
    },
  };
}
