/**
 * Length-prefixed messages, the framing that gRPC, gRPC-Web and Connect streams share: a byte of flags, four bytes of
 * big-endian length, the message.
 */

export const prefixBytes = 5;

/** An envelope without any field: "you are subscribed", and the heartbeat of those who asked for one. */
export const emptyFrame: Uint8Array = /* @__PURE__ */ new Uint8Array(prefixBytes);

/** A buffer for a message of `size` bytes, its prefix written, the message yet to be. */
function allocateFrame(size: number): Buffer {
  // Not from Node's pool: a frame may wait in a queue for long, and must not keep its neighbours in memory.
  const frame = Buffer.allocUnsafeSlow(prefixBytes + size);
  frame[0] = 0;
  frame.writeUInt32BE(size, 1);
  return frame;
}

export function frameMessage(message: Uint8Array): Buffer {
  const frame = allocateFrame(message.length);
  frame.set(message, prefixBytes);
  return frame;
}

/**
 * `PublishResult { subscribers }` as frames: the answers for small counts are made once.
 *
 * Written by hand because the hot path sends one for each envelope: field 1000 as a varint is the tag c0 3e.
 */
export function createResultFrames(): (subscribers: number) => Buffer {
  const common = Array.from({ length: 128 }, (_, count) => encodeResult(count));
  return (subscribers) => common[subscribers] ?? encodeResult(subscribers);
}

function encodeResult(subscribers: number): Buffer {
  const message = [0xc0, 0x3e];
  let rest = subscribers;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) message.push((rest % 128) | 0x80);
  message.push(rest);
  return frameMessage(Uint8Array.from(message));
}
