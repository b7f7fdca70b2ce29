/** gRPC's message framing: a flag, four bytes of length, the message. */

import { WiceError } from "@wice/core";

const prefixBytes = 5;

/** One message, ready to be sent. Uncompressed. */
export function frameMessage(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(prefixBytes + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, prefixBytes);
  return framed;
}

export interface MessageReaderOptions {
  /** Longer messages are skipped as they come, without being kept. */
  readonly maxBytes: number;
  /** A message. Its bytes may be a part of the chunk that they came in. */
  onMessage(message: Uint8Array): void;
  /** A message was longer than `maxBytes`. */
  onOversized(length: number): void;
}

/** Finds messages in a stream of chunks, however these are cut. */
export interface MessageReader {
  /** Throws `protocol` where the bytes are not gRPC framing, or compressed; the reader is of no use afterwards. */
  push(chunk: Uint8Array): void;
  /** True between messages: a stream that ends elsewhere was cut. */
  readonly atBoundary: boolean;
}

export function createMessageReader({ maxBytes, onMessage, onOversized }: MessageReaderOptions): MessageReader {
  const prefix = new Uint8Array(prefixBytes);
  let prefixFilled = 0;
  let message: Uint8Array | undefined;
  let messageFilled = 0;
  let skipping = 0;

  /** Reads from `chunk` at `offset` what one state can take; returns the next offset. */
  const step = (chunk: Uint8Array, offset: number): number => {
    const available = chunk.length - offset;
    if (skipping > 0) {
      const skipped = Math.min(skipping, available);
      skipping -= skipped;
      return offset + skipped;
    }
    if (message !== undefined) {
      const taken = Math.min(message.length - messageFilled, available);
      message.set(chunk.subarray(offset, offset + taken), messageFilled);
      messageFilled += taken;
      if (messageFilled === message.length) {
        const complete = message;
        message = undefined;
        onMessage(complete);
      }
      return offset + taken;
    }
    const taken = Math.min(prefixBytes - prefixFilled, available);
    prefix.set(chunk.subarray(offset, offset + taken), prefixFilled);
    prefixFilled += taken;
    if (prefixFilled < prefixBytes) return offset + taken;
    prefixFilled = 0;
    return begin(chunk, offset + taken);
  };

  const begin = (chunk: Uint8Array, offset: number): number => {
    if (prefix[0] === 1)
      throw new WiceError("protocol", "the server sent a compressed message, which was not asked for");
    if (prefix[0] !== 0) throw new WiceError("protocol", "the server sent bytes that are not gRPC messages");
    const length = new DataView(prefix.buffer).getUint32(1);
    if (length > maxBytes) {
      skipping = length;
      onOversized(length);
      return offset;
    }
    if (offset + length <= chunk.length) {
      // Not `subarray`, which would hand a `Buffer` to those who were promised a `Uint8Array`.
      onMessage(new Uint8Array(chunk.buffer, chunk.byteOffset + offset, length));
      return offset + length;
    }
    message = new Uint8Array(length);
    messageFilled = 0;
    return offset;
  };

  return {
    push(chunk) {
      for (let offset = 0; offset < chunk.length; ) offset = step(chunk, offset);
    },
    get atBoundary() {
      return prefixFilled === 0 && message === undefined && skipping === 0;
    },
  };
}
