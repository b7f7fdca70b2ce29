/**
 * Length-prefixed messages, the framing that gRPC, gRPC-Web and Connect streams share: a byte of flags, four bytes of
 * big-endian length, the message.
 */

export const prefixBytes = 5;

/** An envelope without any field: "you are subscribed", and the heartbeat of those who asked for one. */
export const emptyFrame: Uint8Array = /* @__PURE__ */ new Uint8Array(prefixBytes);

export function frameMessage(message: Uint8Array, flags = 0): Buffer {
  // Not from Node's pool: a frame may wait in a queue for long, and must not keep its neighbours in memory.
  const frame = Buffer.allocUnsafeSlow(prefixBytes + message.length);
  frame[0] = flags;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, prefixBytes);
  return frame;
}

/** The answers to a Publish in one protocol: those with small counts, which are the usual ones, are made once. */
export function createResultAnswers(encode: (subscribers: number) => Buffer): (subscribers: number) => Buffer {
  const common = Array.from({ length: 128 }, (_, count) => encode(count));
  return (subscribers) => common[subscribers] ?? encode(subscribers);
}

/**
 * `PublishResult { subscribers }` as a frame.
 *
 * Written by hand because the hot path sends one for each envelope: field 1000 as a varint is the tag c0 3e.
 */
export function resultFrame(subscribers: number): Buffer {
  const message = [0xc0, 0x3e];
  let rest = subscribers;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) message.push((rest % 128) | 0x80);
  message.push(rest);
  return frameMessage(Uint8Array.from(message));
}
