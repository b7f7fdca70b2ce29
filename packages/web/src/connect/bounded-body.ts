/** Keeps a server from filling a page's memory: the client library collects a message of any announced length. */

import { WiceError } from "@wice/core";

const prefixBytes = 5;

/** Statuses, trailers and the fields around an envelope. */
const overheadBytes = 16_384;

/**
 * The response, whose body fails with `protocol` where a message in it is too large, and with `unavailable` where it ends
 * within one, which a proxy can make look like an orderly end. `framed` bodies are messages with
 * a byte of flags and four of length each; others are one message.
 */
export function boundedBody(response: Response, framed: boolean, maxEnvelopeBytes: number, where: string): Response {
  if (response.body === null) return response;
  const most = maxEnvelopeBytes + overheadBytes;
  const measure = framed ? frameMeasure() : totalMeasure();
  const guard = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      if (measure.add(chunk) <= most) controller.enqueue(chunk);
      else controller.error(new WiceError("protocol", `${where} sent a message of more than ${most} bytes`));
    },
    flush(controller) {
      if (measure.within())
        controller.error(new WiceError("unavailable", `${where} ended the stream`, { retryable: true }));
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body.pipeThrough(guard), { status, statusText, headers });
}

interface Measure {
  /** Takes the next bytes; returns how large the largest message among them is, or says that it is. */
  add(chunk: Uint8Array): number;
  /** Whether more bytes belong to the last message. */
  within(): boolean;
}

function totalMeasure(): Measure {
  let total = 0;
  return {
    add(chunk) {
      total += chunk.length;
      return total;
    },
    within: () => false,
  };
}

function frameMeasure(): Measure {
  let prefix = 0;
  let size = 0;
  let rest = 0;
  const add = (chunk: Uint8Array): number => {
    let largest = 0;
    for (let at = 0; at < chunk.length; ) {
      if (rest > 0) {
        const step = Math.min(rest, chunk.length - at);
        at += step;
        rest -= step;
        continue;
      }
      if (prefix > 0) size = size * 256 + (chunk[at] as number);
      at += 1;
      prefix += 1;
      if (prefix < prefixBytes) continue;
      largest = Math.max(largest, size);
      [prefix, rest, size] = [0, size, 0];
    }
    return largest;
  };
  return { add, within: () => prefix > 0 || rest > 0 };
}
