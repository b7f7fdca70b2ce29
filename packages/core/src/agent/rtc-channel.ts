/** A data channel of WebRTC as a channel of an agent. */

import { WiceError } from "../errors.ts";
import { type AgentChannel, type ChannelHandlers, lowBytes } from "./agent.ts";
import { type DataChannelLike, listen } from "./rtc-types.ts";

export interface RtcChannel extends AgentChannel {
  /** Takes the data channel, which is made only when the ICE servers are known. */
  bind(channel: DataChannelLike): void;
  /** Removes what listens, and closes. */
  release(): void;
}

export interface RtcChannelOptions {
  readonly label: string;
  readonly id: number;
  readonly reliable: boolean;
  maxMessageBytes(): number;
  /** It has opened or closed. */
  onChange(): void;
}

/** More than any message that waits for a handler: a channel of the peer's may bring some before it is handed out. */
const maxEarlyMessages = 1_024;

export function createRtcChannel({ label, id, reliable, maxMessageBytes, onChange }: RtcChannelOptions): RtcChannel {
  let native: DataChannelLike | undefined;
  let released = false;
  let number = id;
  let handlers: ChannelHandlers = {};
  const early: Uint8Array[] = [];
  const stops: (() => void)[] = [];

  const state = (): AgentChannel["state"] => {
    if (released) return "closed";
    switch (native?.readyState) {
      case "open":
        return "open";
      case "closing":
      case "closed":
        return "closed";
      default:
        return "connecting";
    }
  };
  const onMessage = ({ data }: { readonly data: unknown }): void => {
    const bytes = bytesOf(data);
    if (bytes === undefined) return;
    if (handlers.onMessage !== undefined) handlers.onMessage(bytes);
    else if (early.length < maxEarlyMessages) early.push(bytes);
  };
  const onOpen = (): void => {
    if (native?.id !== null && native?.id !== undefined) number = native.id;
    onChange();
    handlers.onOpen?.();
  };
  const onClose = (): void => {
    release();
    onChange();
    handlers.onClose?.();
  };
  const release = (): void => {
    if (released) return;
    released = true;
    for (const stop of stops.splice(0)) stop();
    native?.close();
  };

  return {
    label,
    reliable,
    get id() {
      return number;
    },
    get state() {
      return state();
    },
    get maxMessageBytes() {
      return maxMessageBytes();
    },
    get bufferedBytes() {
      return native?.bufferedAmount ?? 0;
    },
    send(message) {
      if (native === undefined || state() !== "open") throw new WiceError("closed", "the channel is not open");
      const most = maxMessageBytes();
      if (message.length > most)
        throw new WiceError("too-large", `the message has ${message.length} bytes, of at most ${most}`);
      try {
        native.send(message as Uint8Array<ArrayBuffer>);
      } catch (cause) {
        throw new WiceError("unavailable", "the channel did not take the message", { cause, retryable: true });
      }
    },
    get handlers() {
      return handlers;
    },
    set handlers(given) {
      handlers = given;
      if (given.onMessage !== undefined) for (const bytes of early.splice(0)) given.onMessage(bytes);
    },
    // A data channel lets what is buffered leave first.
    close: release,
    bind(channel) {
      native = channel;
      channel.binaryType = "arraybuffer";
      channel.bufferedAmountLowThreshold = lowBytes;
      stops.push(
        listen(channel, "open", onOpen),
        listen(channel, "message", onMessage),
        listen(channel, "bufferedamountlow", () => handlers.onLow?.()),
        listen(channel, "close", onClose),
      );
      if (released) release();
    },
    release,
  };
}

/** A copy or a view of its own; undefined for text, which no peer of ours sends. */
function bytesOf(data: unknown): Uint8Array | undefined {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return undefined;
}
