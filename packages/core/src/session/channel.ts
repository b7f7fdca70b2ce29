/** A channel of a session: messages in both directions, with back-pressure all the way to the application at the other end. */

import type { AgentChannel } from "../agent/agent.ts";
import type { Clock, Timer } from "../async/clock.ts";
import { onAbort } from "../async/signal.ts";
import type { CallOptions } from "../call-options.ts";
import { WiceError } from "../errors.ts";

/** To be iterated once, or read through `readable`, which is the same. */
export interface Channel extends AsyncIterable<Uint8Array> {
  readonly label: string;
  /** The largest message that the other side takes, in bytes. */
  readonly maxMessageBytes: number;
  /**
   * Resolves when the message is on its way, which waits for the other side's application when that does not keep up.
   * While the connection is lost, it waits for its return. Rejects with `too-large`, `resource-exhausted` (more than 16
   * MiB wait: await the calls before), `closed`, `unavailable` and the signal's reason.
   */
  send(message: Uint8Array, options?: CallOptions): Promise<void>;
  readonly readable: ReadableStream<Uint8Array>;
  /** Its `close()` resolves when the other application has taken everything. */
  readonly writable: WritableStream<Uint8Array>;
  /** Lets what was sent arrive. Idempotent. */
  close(): Promise<void>;
}

/** The inside of a channel, for the session that owns it. */
export interface Flow {
  readonly channel: Channel;
  /**
   * Goes on with the channel of a connection. `resumes`: the other side says first what it has. `early`: what has come on
   * it already.
   */
  attach(port: AgentChannel, resumes: boolean, early?: readonly Uint8Array[]): void;
  /** The connection is gone; another one may come. */
  detach(): void;
  /** So many messages of ours have arrived. */
  resume(messages: number): void;
  /** So much of ours was taken by the other application, in all. */
  credit(consumed: number): void;
  /** Messages that have come, in all. */
  readonly received: number;
  /** Nothing was sent yet: there is nothing to go on with. */
  readonly untouched: boolean;
  /** Forgets what is under way: the other side is a new one, which knows nothing of it. */
  restart(): void;
  /** Resolves when everything was taken by the other application, or nothing more can be. */
  drained(signal: AbortSignal): Promise<void>;
  /** For good. What has come can still be read; then iteration ends, with the error if there is one. */
  end(error?: WiceError): void;
}

export interface FlowOptions {
  readonly label: string;
  /** An unreliable channel has no end-to-end back-pressure: who does not read loses the oldest. */
  readonly reliable: boolean;
  readonly clock: Clock;
  /** Tells the other side how much of its was taken, in all. */
  report(consumed: number): void;
  /** The application closes the channel. */
  onClose(): void;
}

/** What may be under way to an application that has not taken it. */
const windowBytes = 4_194_304;
/** What a message costs beside its bytes, so that empty ones are not free. */
const messageCost = 64;
/** What an agent may have in its own buffer. */
const highBytes = 1_048_576;
/** What may wait here, in bytes. */
const maxPendingBytes = 16_777_216;
const reportMs = 50;

interface Pending {
  readonly bytes: Uint8Array;
  settle(error?: unknown): void;
}

interface Came {
  readonly bytes: Uint8Array;
  readonly from: number;
}

export function createFlow({ label, reliable, clock, report, onClose }: FlowOptions): Flow {
  let port: AgentChannel | undefined;
  let ready = false;
  let limit = 65_536;
  let ended: { readonly error: WiceError | undefined } | undefined;

  // Ours, on the way out.
  const pending: Pending[] = [];
  let pendingBytes = 0;
  /** Sent and not known to be taken, in order. */
  let underWay: Uint8Array[] = [];
  let sentMessages = 0;
  let sentCost = 0;
  let takenCost = 0;
  const drains = new Set<() => void>();

  // Theirs, on the way in.
  const inbox: Came[] = [];
  let inboxCost = 0;
  /** Counts the other sides that there were: what a former one has sent is no credit of the present one. */
  let generation = 0;
  let received = 0;
  let consumed = 0;
  let reported = 0;
  let reporting: Timer | undefined;
  const readers: { resolve(result: IteratorResult<Uint8Array>): void; reject(error: unknown): void }[] = [];

  const isOpen = (): boolean => port?.state === "open" && ready;
  const transmit = (bytes: Uint8Array): void => {
    port?.send(bytes);
    sentMessages += 1;
    if (!reliable) return;
    sentCost += costOf(bytes);
    underWay.push(bytes);
  };
  const pump = (): void => {
    while (pending[0] !== undefined && isOpen() && (port?.bufferedBytes ?? 0) < highBytes) {
      const { bytes, settle } = pending[0];
      const inFlight = sentCost - takenCost;
      if (reliable && inFlight > 0 && inFlight + costOf(bytes) > windowBytes) return;
      pending.shift();
      pendingBytes -= bytes.length;
      try {
        transmit(bytes);
        settle();
      } catch (error) {
        settle(error);
      }
    }
    if (pending.length === 0 && (takenCost >= sentCost || !reliable)) for (const drained of [...drains]) drained();
  };

  const tell = (): void => {
    reporting?.cancel();
    reporting = undefined;
    if (consumed === reported || ended !== undefined) return;
    reported = consumed;
    report(consumed);
  };
  const consume = ({ bytes, from }: Came): Uint8Array => {
    if (!reliable || from !== generation) return bytes;
    consumed += costOf(bytes);
    if (consumed - reported >= windowBytes / 4) tell();
    else reporting ??= clock.schedule(reportMs, tell);
    return bytes;
  };
  const onMessage = (bytes: Uint8Array): void => {
    if (ended !== undefined) return;
    received += 1;
    const reader = readers.shift();
    const came: Came = { bytes, from: generation };
    if (reader !== undefined) {
      reader.resolve({ done: false, value: consume(came) });
      return;
    }
    inbox.push(came);
    inboxCost += costOf(bytes);
    if (inboxCost <= 2 * windowBytes) return;
    if (reliable) {
      finish(new WiceError("protocol", "the peer sends more than it was allowed to"));
      onClose();
      return;
    }
    while (inboxCost > windowBytes) inboxCost -= costOf((inbox.shift() as Came).bytes);
  };

  const finish = (error: WiceError | undefined): void => {
    if (ended !== undefined) return;
    ended = { error };
    reporting?.cancel();
    release();
    const why = error ?? new WiceError("closed", "the channel is closed");
    for (const { settle } of pending.splice(0)) settle(why);
    underWay = [];
    for (const { resolve, reject } of readers.splice(0)) {
      if (error === undefined) resolve(done);
      else reject(error);
    }
    for (const drained of [...drains]) drained();
  };
  const release = (): void => {
    if (port !== undefined) port.handlers = {};
    port = undefined;
    ready = false;
  };

  const next = (): Promise<IteratorResult<Uint8Array>> => {
    const came = inbox.shift();
    if (came !== undefined) {
      inboxCost -= costOf(came.bytes);
      return Promise.resolve({ done: false, value: consume(came) });
    }
    if (ended?.error !== undefined) return Promise.reject(ended.error);
    if (ended !== undefined) return Promise.resolve(done);
    return new Promise((resolve, reject) => {
      readers.push({ resolve, reject });
    });
  };
  const close = async (): Promise<void> => {
    if (ended !== undefined) return;
    const old = port;
    finish(undefined);
    old?.close();
    onClose();
  };
  const iterator: AsyncIterator<Uint8Array> = {
    next,
    async return() {
      inbox.length = 0;
      await close();
      return done;
    },
  };
  const drained = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const settle = (): void => {
        drains.delete(settle);
        forget();
        resolve();
      };
      const forget = onAbort(signal, () => {
        drains.delete(settle);
        reject(signal.reason);
      });
      if (signal.aborted) return;
      drains.add(settle);
      if (ended !== undefined) settle();
      else pump();
    });

  const send = async (message: Uint8Array, { signal }: CallOptions = {}): Promise<void> => {
    signal?.throwIfAborted();
    if (ended !== undefined) throw ended.error ?? new WiceError("closed", "the channel is closed");
    if (!(message instanceof Uint8Array)) throw new WiceError("invalid-argument", "a message is a Uint8Array");
    if (message.length > limit) {
      throw new WiceError(
        "too-large",
        `the message has ${message.length} bytes, of at most ${limit}; send it in pieces`,
      );
    }
    if (pendingBytes + message.length > maxPendingBytes)
      throw new WiceError("resource-exhausted", "too much waits to be sent; await the calls before", {
        retryable: true,
      });
    // The caller may reuse its memory, and what a lost connection swallowed is sent again.
    const bytes = new Uint8Array(message);
    await new Promise<void>((resolve, reject) => {
      const entry: Pending = {
        bytes,
        settle(error) {
          forget();
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      const forget = onAbort(signal, () => {
        const index = pending.indexOf(entry);
        if (index < 0) return;
        pending.splice(index, 1);
        pendingBytes -= bytes.length;
        reject(signal?.reason);
      });
      pending.push(entry);
      pendingBytes += bytes.length;
      pump();
    });
  };

  let readable: ReadableStream<Uint8Array> | undefined;
  let writable: WritableStream<Uint8Array> | undefined;
  const channel: Channel = {
    label,
    get maxMessageBytes() {
      return limit;
    },
    send,
    get readable() {
      readable ??= new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            const { done: over, value } = await next();
            if (over === true) controller.close();
            else controller.enqueue(value);
          },
          cancel: close,
        },
        { highWaterMark: 0 },
      );
      return readable;
    },
    get writable() {
      writable ??= new WritableStream<Uint8Array>({
        write: (chunk) => send(chunk),
        close: () => drained(new AbortController().signal),
        abort: close,
      });
      return writable;
    },
    close,
    [Symbol.asyncIterator]: () => iterator,
  };

  return {
    channel,
    attach(given, resumes, early = []) {
      release();
      if (ended !== undefined) return;
      port = given;
      ready = !resumes;
      limit = given.maxMessageBytes;
      given.handlers = { onOpen: pump, onMessage, onLow: pump };
      for (const message of early) onMessage(message);
      pump();
    },
    detach: release,
    resume(messages) {
      if (port === undefined || ready) return;
      // What has not arrived goes out again, before anything new.
      const first = sentMessages - underWay.length;
      const again = underWay.slice(Math.max(0, messages - first));
      ready = true;
      for (const bytes of again) {
        try {
          port.send(bytes);
        } catch {
          // It breaks again; the next connection brings the rest.
          return;
        }
      }
      pump();
    },
    credit(total) {
      if (!(total > takenCost) || total > sentCost) return;
      let rest = total - takenCost;
      takenCost = total;
      while (underWay[0] !== undefined && costOf(underWay[0]) <= rest) {
        rest -= costOf(underWay[0]);
        underWay.shift();
      }
      pump();
    },
    get received() {
      return received;
    },
    get untouched() {
      return sentMessages === 0;
    },
    restart() {
      release();
      generation += 1;
      underWay = [];
      sentMessages = 0;
      sentCost = 0;
      takenCost = 0;
      received = 0;
      consumed = 0;
      reported = 0;
      reporting?.cancel();
      reporting = undefined;
    },
    drained,
    end: finish,
  };
}

const done = { done: true, value: undefined } as const;

function costOf(bytes: Uint8Array): number {
  return bytes.length + messageCost;
}
