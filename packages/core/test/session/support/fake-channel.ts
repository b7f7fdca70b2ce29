/** A channel between two fake connections: reliable ones lose nothing for as long as both connections live. */

import type { AgentChannel, ChannelHandlers, Clock } from "@wice/core";
import { WiceError } from "@wice/core";

export interface FakeChannel extends AgentChannel {
  open(): void;
  /** Delivers what waits, if the path answers. */
  flush(): void;
  take(message: Uint8Array): void;
  /** Closes at once, as the connection does with its channels. */
  cut(): void;
}

export interface FakeChannelOptions {
  readonly id: number;
  readonly label: string;
  readonly reliable: boolean;
  readonly clock: Clock;
  readonly latencyMs: number;
  /** How fast the path is. */
  readonly bytesPerMs: number;
  readonly maxMessageBytes: number;
  /** Why it does not take a message, though it is open. */
  refuses?(message: Uint8Array): WiceError | undefined;
  answers(): boolean;
  /** The other end of it. */
  other(): FakeChannel | undefined;
  onSent(): void;
}

const lowBytes = 262_144;

export function createFakeChannel(options: FakeChannelOptions): FakeChannel {
  const { id, label, reliable, clock, latencyMs, bytesPerMs, maxMessageBytes, answers, other, onSent } = options;
  let state: AgentChannel["state"] = "connecting";
  let bufferedBytes = 0;
  let freeAtMs = 0;
  let waking = false;
  /** Closed by its owner, while messages are under way. */
  let parting = false;
  /** What has come, and that nobody takes yet. */
  const waiting: Uint8Array[] = [];
  let handlers: ChannelHandlers = {};
  const underWay: { readonly message: Uint8Array; readonly dueMs: number }[] = [];

  const flush = (): void => {
    const [head] = underWay;
    if (head === undefined || waking || !answers()) return;
    waking = true;
    clock.schedule(Math.max(0, head.dueMs - clock.now()), () => {
      waking = false;
      while (underWay[0] !== undefined && underWay[0].dueMs <= clock.now() && answers()) {
        const { message } = underWay.shift() as (typeof underWay)[0];
        const wasHigh = bufferedBytes >= lowBytes;
        bufferedBytes -= message.length;
        other()?.take(message);
        if (wasHigh && bufferedBytes < lowBytes) channel.handlers.onLow?.();
      }
      if (parting && underWay.length === 0) end();
      else flush();
    });
  };
  const end = (): void => {
    other()?.cut();
    channel.cut();
  };

  const channel: FakeChannel = {
    id,
    label,
    reliable,
    maxMessageBytes,
    get handlers() {
      return handlers;
    },
    set handlers(given) {
      handlers = given;
      while (waiting[0] !== undefined && handlers.onMessage !== undefined)
        handlers.onMessage(waiting.shift() as Uint8Array);
    },
    get bufferedBytes() {
      return bufferedBytes;
    },
    get state() {
      return parting ? "closed" : state;
    },
    open() {
      if (state !== "connecting") return;
      state = "open";
      channel.handlers.onOpen?.();
    },
    send(message) {
      if (state !== "open" || parting) throw new WiceError("closed", "the channel is closed");
      if (message.length > maxMessageBytes) throw new WiceError("too-large", "the message is too large");
      const refusal = options.refuses?.(message);
      if (refusal !== undefined) throw refusal;
      onSent();
      if (!reliable && !answers()) return;
      bufferedBytes += message.length;
      freeAtMs = Math.max(freeAtMs, clock.now()) + message.length / bytesPerMs;
      underWay.push({ message: new Uint8Array(message), dueMs: freeAtMs + latencyMs });
      flush();
    },
    flush,
    take(message) {
      if (state !== "open") return;
      if (handlers.onMessage === undefined) waiting.push(message);
      else handlers.onMessage(message);
    },
    close() {
      if (state === "closed" || parting) return;
      parting = true;
      if (underWay.length === 0) end();
    },
    cut() {
      if (state === "closed") return;
      state = "closed";
      underWay.length = 0;
      channel.handlers.onClose?.();
    },
  };
  return channel;
}
