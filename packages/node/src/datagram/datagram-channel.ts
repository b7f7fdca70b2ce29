/** A channel over datagrams: messages arrive once or not at all, and may overtake each other. */

import { type AgentChannel, type ChannelHandlers, WiceError } from "@wice/core";

export interface DatagramChannel extends AgentChannel {
  /** Data can flow. */
  open(): void;
  take(message: Buffer): void;
  /** The path has little left to send. */
  low(): void;
  /** Ends it; `told` says whether its owner hears of it. */
  end(told: boolean): void;
}

export interface DatagramChannelOptions {
  readonly label: string;
  readonly id: number;
  readonly maxMessageBytes: number;
  bufferedBytes(): number;
  send(message: Uint8Array): void;
}

/** What nobody takes yet; beyond that, the newest is lost. */
const maxEarlyBytes = 4_194_304;
/** What a message costs beside its bytes. */
const messageCost = 64;

export function createDatagramChannel(options: DatagramChannelOptions): DatagramChannel {
  const { label, id, maxMessageBytes } = options;
  let state: AgentChannel["state"] = "connecting";
  let handlers: ChannelHandlers = {};
  const early: Uint8Array[] = [];
  let earlyBytes = 0;

  return {
    ...{ label, id, maxMessageBytes, reliable: false, copies: true },
    get state() {
      return state;
    },
    get bufferedBytes() {
      return state === "open" ? options.bufferedBytes() : 0;
    },
    send(message) {
      if (state !== "open") throw new WiceError("closed", "the channel is not open");
      if (message.length > maxMessageBytes)
        throw new WiceError("too-large", `the message has ${message.length} bytes, of at most ${maxMessageBytes}`);
      options.send(message);
    },
    get handlers() {
      return handlers;
    },
    set handlers(given) {
      handlers = given;
      // A handler may set others.
      while (early[0] !== undefined && handlers.onMessage !== undefined) {
        const message = early.shift() as Uint8Array;
        earlyBytes -= message.length + messageCost;
        handlers.onMessage(message);
      }
    },
    // It lives as long as the connection does.
    close() {},
    open() {
      if (state !== "connecting") return;
      state = "open";
      handlers.onOpen?.();
    },
    take({ buffer, byteOffset, byteLength }) {
      if (state === "closed") return;
      const message = new Uint8Array(buffer, byteOffset, byteLength);
      if (handlers.onMessage !== undefined) {
        handlers.onMessage(message);
        return;
      }
      const cost = message.length + messageCost;
      if (earlyBytes + cost > maxEarlyBytes) return;
      // It may lie in a much larger piece of a stream, all of which would wait with it.
      early.push(message.slice());
      earlyBytes += cost;
    },
    low() {
      if (state === "open") handlers.onLow?.();
    },
    end(told) {
      if (state === "closed") return;
      state = "closed";
      if (told) handlers.onClose?.();
    },
  };
}
