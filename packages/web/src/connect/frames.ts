/** The frames of a streamed body, in Connect as in gRPC-Web: a byte of flags, four of length, and so many bytes. */

import { abortable } from "@wice/core/transport";

export interface Frame {
  readonly flags: number;
  readonly data: Uint8Array;
}

const prefixBytes = 5;

export function frameOf(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(prefixBytes + data.length);
  new DataView(frame.buffer).setUint32(1, data.length);
  frame.set(data, prefixBytes);
  return frame;
}

/**
 * Whole frames, until the body ends, fails, or the signal aborts, which ends the body. How long they get is for the body to
 * see to.
 */
export async function* readFrames(body: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<Frame> {
  const reader = body.getReader();
  let rest = new Uint8Array();
  try {
    for (;;) {
      const { done, value } = await abortable(reader.read(), signal);
      if (done) return;
      rest = joined(rest, value);
      for (let size = sizeOf(rest); size <= rest.length; size = sizeOf(rest)) {
        yield { flags: rest[0] as number, data: rest.subarray(prefixBytes, size) };
        rest = rest.subarray(size);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function joined(first: Uint8Array<ArrayBuffer>, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Of the first frame, prefix included; `Infinity` where that is not known yet. */
function sizeOf(bytes: Uint8Array): number {
  if (bytes.length < prefixBytes) return Number.POSITIVE_INFINITY;
  return prefixBytes + new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
}
