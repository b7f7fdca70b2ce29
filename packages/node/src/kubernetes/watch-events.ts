/** The events of one watch: lines of JSON, until the API server ends it, the connection breaks, or nothing more comes. */

import type { IncomingMessage } from "node:http";
import { WiceError } from "@wice/core";
import type { EnvelopeObject } from "./resource.ts";
import type { ApiStatus } from "./status-error.ts";

export type WatchEvent =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"; readonly object: EnvelopeObject }
  | { readonly type: "ERROR"; readonly object: ApiStatus };

/** More than etcd stores in one object, by default. */
const maxLineBytes = 4_194_304;

/**
 * Reads on only as the caller takes events, so that a slow one holds the API server back and not the memory. However
 * the watch ends, that is no error: the next one begins where this one ended. Throws `protocol` for what is no event.
 */
export async function* readEvents(incoming: IncomingMessage, silenceTimeoutMs: number): AsyncGenerator<WatchEvent> {
  const chunks = incoming[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let begun: Buffer[] = [];
  let begunBytes = 0;
  try {
    for (;;) {
      const chunk = await nextChunk(incoming, chunks, silenceTimeoutMs);
      if (chunk === undefined) return;
      let from = 0;
      for (;;) {
        const end = chunk.indexOf(10, from);
        if (end < 0) break;
        const line = Buffer.concat([...begun, chunk.subarray(from, end)]);
        begun = [];
        begunBytes = 0;
        from = end + 1;
        if (line.length > 0) yield parseEvent(line);
      }
      begun.push(chunk.subarray(from));
      begunBytes += chunk.length - from;
      if (begunBytes > maxLineBytes) throw new WiceError("protocol", "the API server sent an event without an end");
    }
  } finally {
    incoming.destroy();
  }
}

/** Undefined at the end, whatever ended it. */
async function nextChunk(
  incoming: IncomingMessage,
  chunks: AsyncIterator<Buffer>,
  silenceTimeoutMs: number,
): Promise<Buffer | undefined> {
  const timer = setTimeout(() => incoming.destroy(), silenceTimeoutMs).unref();
  try {
    const { done, value } = await chunks.next();
    return done === true ? undefined : value;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function parseEvent(line: Buffer): WatchEvent {
  try {
    const event: unknown = JSON.parse(line.toString("utf8"));
    if (typeof event === "object" && event !== null && "type" in event && "object" in event) return event as WatchEvent;
  } catch {
    // Said below.
  }
  throw new WiceError("protocol", "what answers to a watch is no Kubernetes API server");
}
