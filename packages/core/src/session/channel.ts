/** A channel of a session: messages in both directions, with back-pressure all the way to the application at the other end. */

import type { AgentChannel } from "../agent/agent.ts";
import type { Clock } from "../async/clock.ts";
import type { CallOptions } from "../call-options.ts";
import { WiceError } from "../errors.ts";
import { createInbox, type Progress } from "./inbox.ts";
import { createOutbox } from "./outbox.ts";

/**
 * To be iterated once, or read through `readable`, which is the same; who leaves the iteration, or cancels `readable`,
 * closes the channel. Iteration ends after what has come; it throws `unavailable` where the connection was lost, and
 * `protocol` where the peer does not keep to the rules.
 *
 * On a reliable channel, 4 MiB are under way to an application that does not read, each message counted with 64 bytes
 * more than it has. On an unreliable one (`maxRetransmits`, `maxPacketLifeTimeMs`), who does not read loses the oldest
 * above 4 MiB.
 */
export interface Channel extends AsyncIterable<Uint8Array> {
  readonly label: string;
  /** The largest message that the other side takes, in bytes. */
  readonly maxMessageBytes: number;
  /**
   * Resolves when the message is on its way, which waits for the other side's application when that does not keep up.
   * While the connection is lost, it waits for its return. The message is copied. Rejects with `too-large`,
   * `resource-exhausted` (more than 16 MiB wait: await the calls before), `closed`, `unavailable`, `protocol` and the
   * signal's reason; a message that is on its way already is not called back.
   */
  send(message: Uint8Array, options?: CallOptions): Promise<void>;
  readonly readable: ReadableStream<Uint8Array>;
  /**
   * Its `close()` resolves when the other application has taken everything, and leaves the channel open for reading; its
   * `abort()` closes the channel.
   */
  readonly writable: WritableStream<Uint8Array>;
  /** Takes nothing new, and lets what was sent arrive, for at most 5 seconds. Idempotent. */
  close(): Promise<void>;
}

/** The inside of a channel, for the session that owns it. */
export interface Flow {
  readonly channel: Channel;
  /** Goes on with the channel of a connection. `early`: what has come on it already. */
  attach(port: AgentChannel, early?: readonly Uint8Array[]): void;
  /** What the other side is told when a connection took another's place. */
  progress(): Progress;
  /** So many messages of ours have arrived. */
  resume(messages: number): void;
  /** So much of ours was taken by the other application, in all. */
  credit(taken: number): void;
  /** The other side is a new one: it knows nothing of what is under way. */
  restart(): void;
  /** Takes nothing new to send. */
  shut(): void;
  /** Resolves when everything was taken by the other application. Rejects when that will never be. */
  drained(signal: AbortSignal): Promise<void>;
  /** For good. What has come can still be read; then iteration ends, with the error if there is one. */
  end(error?: WiceError): void;
}

export interface FlowOptions {
  readonly label: string;
  readonly reliable: boolean;
  readonly clock: Clock;
  /** Tells the other side how much of its was taken, in all. */
  report(consumed: number): void;
  /** The application wants no more of it. */
  close(): Promise<void>;
  /** It has ended because it cannot go on. */
  onFailure(error: WiceError): void;
  /** The other side has closed it, or its connection is no more. */
  onGone(): void;
}

export function createFlow({ label, reliable, clock, report, close, onFailure, onGone }: FlowOptions): Flow {
  let port: AgentChannel | undefined;
  let ended = false;
  let readable: ReadableStream<Uint8Array> | undefined;
  let writable: WritableStream<Uint8Array> | undefined;
  let sink: WritableStreamDefaultController | undefined;
  const fail = (error: WiceError): void => {
    end(error);
    onFailure(error);
  };
  const inbox = createInbox({ reliable, clock, report });
  const outbox = createOutbox({ reliable, clock, onFailure: fail });

  const onMessage = (bytes: Uint8Array): void => {
    if (!ended && !inbox.take(bytes)) fail(new WiceError("protocol", "the peer sends more than it was allowed to"));
  };
  const release = (): void => {
    // What still comes is not kept: the other side sends it again.
    if (port !== undefined) port.handlers = { onMessage() {} };
    port = undefined;
  };
  const end = (error?: WiceError): void => {
    if (ended) return;
    ended = true;
    release();
    const why = error ?? new WiceError("closed", "the channel is closed");
    inbox.end(error);
    outbox.end(why);
    sink?.error(why);
  };
  const stop = async (): Promise<void> => {
    inbox.discard();
    await close();
  };
  const iterator: AsyncIterator<Uint8Array> = {
    next: inbox.next,
    async return() {
      await stop();
      return { done: true, value: undefined };
    },
  };

  const channel: Channel = {
    label,
    get maxMessageBytes() {
      return outbox.maxMessageBytes;
    },
    send: (message, { signal } = {}) => outbox.send(message, signal),
    get readable() {
      readable ??= new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            const { done, value } = await inbox.next();
            if (done === true) controller.close();
            else controller.enqueue(value);
          },
          cancel: stop,
        },
        { highWaterMark: 0 },
      );
      return readable;
    },
    get writable() {
      writable ??= new WritableStream<Uint8Array>({
        start(controller) {
          sink = controller;
        },
        write: (chunk, { signal }) => outbox.send(chunk, signal),
        close: () => outbox.drained((sink as WritableStreamDefaultController).signal),
        abort: close,
      });
      return writable;
    },
    close,
    [Symbol.asyncIterator]: () => iterator,
  };

  return {
    channel,
    attach(given, early = []) {
      if (ended) return;
      release();
      port = given;
      given.handlers = { onOpen: outbox.pump, onMessage, onLow: outbox.pump, onClose: onGone };
      for (const message of early) onMessage(message);
      if (!ended) outbox.attach(given);
      // It was opened and closed before anybody listened.
      if (given.state === "closed") onGone();
    },
    progress: inbox.progress,
    resume: outbox.resume,
    credit: outbox.credit,
    restart() {
      release();
      inbox.restart();
      outbox.restart();
    },
    shut: outbox.shut,
    drained: outbox.drained,
    end,
  };
}
