/** A data channel of WebRTC as a channel of an agent. */

import { WiceError } from "../errors.ts";
import { type AgentChannel, type ChannelHandlers, lowBytes } from "./agent.ts";
import { type DataChannelLike, listen } from "./rtc-types.ts";

export interface RtcChannel extends AgentChannel {
  /** It has been open once. */
  readonly wasOpen: boolean;
  /** Takes the data channel, which is made only when the ICE servers are known. */
  bind(channel: DataChannelLike): void;
  /** Ends it; `told` says whether its owner hears of it. Idempotent. */
  end(told: boolean): void;
}

export interface RtcChannelOptions {
  readonly label: string;
  /** Undefined until it is open, where the peers have to agree on it. */
  readonly id: number | undefined;
  readonly reliable: boolean;
  /** It lives as long as the connection does. */
  readonly lasting: boolean;
  readonly early: EarlyMessages;
  maxMessageBytes(): number;
  /** It has opened or ended. */
  onChange(): void;
}

/** What has come on all channels of a connection, and that nobody takes yet. */
export interface EarlyMessages {
  cost: number;
  /** More has come than a peer may send: a channel that loses nothing cannot go on. */
  onOverflow(): void;
}

/** Four times what a session lets its peer send before that hears from it. */
const maxEarlyCost = 16_777_216;
/** What a message costs beside its bytes. */
const messageCost = 64;

/**
 * An empty message travels as text, and nothing else does: werift sends nothing for an empty one, but counts it, so that
 * whoever is at the other end waits for it for ever.
 */
const emptyText = "empty";

export function createRtcChannel(options: RtcChannelOptions): RtcChannel {
  const { label, reliable, lasting, early, maxMessageBytes, onChange } = options;
  let native: DataChannelLike | undefined;
  let wasOpen = false;
  let ended = false;
  let id = options.id ?? -1;
  let handlers: ChannelHandlers = {};
  const waiting: Uint8Array[] = [];
  const stops: (() => void)[] = [];

  const state = (): AgentChannel["state"] => {
    if (ended) return "closed";
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
    if (handlers.onMessage !== undefined) {
      handlers.onMessage(bytes);
      return;
    }
    const cost = bytes.length + messageCost;
    if (early.cost + cost <= maxEarlyCost) {
      early.cost += cost;
      waiting.push(bytes);
    } else if (reliable) early.onOverflow();
  };
  const onOpen = (): void => {
    wasOpen = true;
    id = native?.id ?? id;
    onChange();
    handlers.onOpen?.();
  };
  const end = (told: boolean): void => {
    if (ended) return;
    ended = true;
    for (const stop of stops.splice(0)) stop();
    native?.close();
    if (told) handlers.onClose?.();
    onChange();
  };

  return {
    label,
    reliable,
    get wasOpen() {
      return wasOpen;
    },
    get id() {
      return id;
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
        native.send(message.length === 0 ? emptyText : (message as Uint8Array<ArrayBuffer>));
      } catch (cause) {
        throw new WiceError("unavailable", "the channel did not take the message", { cause, retryable: true });
      }
    },
    get handlers() {
      return handlers;
    },
    set handlers(given) {
      handlers = given;
      // A handler may set others.
      while (waiting[0] !== undefined && handlers.onMessage !== undefined) {
        const bytes = waiting.shift() as Uint8Array;
        early.cost -= bytes.length + messageCost;
        handlers.onMessage(bytes);
      }
    },
    close() {
      // A data channel lets what is buffered leave first.
      if (!lasting) end(false);
    },
    bind(channel) {
      native = channel;
      channel.binaryType = "arraybuffer";
      channel.bufferedAmountLowThreshold = lowBytes;
      stops.push(
        listen(channel, "open", onOpen),
        listen(channel, "message", onMessage),
        listen(channel, "bufferedamountlow", () => handlers.onLow?.()),
        listen(channel, "close", () => end(true)),
      );
    },
    end,
  };
}

/** A view that nobody else has. Undefined for what was not asked for. */
function bytesOf(data: unknown): Uint8Array | undefined {
  if (typeof data === "string") return new Uint8Array();
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return undefined;
}
