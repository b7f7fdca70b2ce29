/** Puts load on a signaling server: unary publications, so many at a time, all of them to one stream of a reader. */

import { createCaller, type OpenStream } from "./caller.ts";
import {
  type CallShape,
  envelopeTo,
  grpc,
  listenTo,
  prefixBytes,
  requestBody,
  someKey,
  subscribeTo,
  type Wire,
} from "./wire.ts";

export interface Load {
  /** Publishes so many envelopes and resolves when all are answered and delivered. */
  publish(count: number, atOnce: number): Promise<Latencies>;
  /** Subscribes to a key on the reader's connection, or one of its own; resolves when the server says so. */
  visit(key: Uint8Array): Promise<OpenStream>;
  close(): void;
}

/** In milliseconds, one of each kind for every envelope. */
export interface Latencies {
  readonly answered: readonly number[];
  /** Until the reader had it. Nonsense where the server sends something else than what was published. */
  readonly received: readonly number[];
}

export interface LoadOptions {
  /** Default: gRPC. */
  readonly wire?: Wire;
  /** Default 200. */
  readonly bodyBytes?: number;
  /** The reader listens to so many keys by one stream, and publications go to all of them in turns. Default 1. */
  readonly keys?: number;
}

/** How long nothing may arrive while something is awaited. */
const patienceMs = 20_000;

export async function createLoad(
  url: string,
  { wire = grpc, bodyBytes = 200, keys: keyCount = 1 }: LoadOptions = {},
): Promise<Load> {
  const [publisher, reader] = [createCaller(url, wire), createCaller(url, wire)];
  const keys = Array.from({ length: keyCount }, someKey);
  const bodies = keys.map((key) => requestBody(wire.publish, envelopeTo(key, bodyBytes)));
  let onEnvelope = (_index: number): void => {};
  const listening = wire === grpc && keyCount === 1 ? wire.subscribe : wire.listen;
  await subscribe(listening, keys, (index) => onEnvelope(index));

  function subscribe(call: CallShape, to: readonly Uint8Array[], onIndex: (index: number) => void) {
    const params = call === wire.listen ? listenTo(to) : subscribeTo(to[0] as Uint8Array);
    return reader.open(call, requestBody(call, params), createReader(onIndex));
  }

  return {
    publish(count, atOnce) {
      const { promise, resolve, reject } = Promise.withResolvers<Latencies>();
      const startedMs = new Float64Array(count);
      const answered: number[] = [];
      const received: number[] = [];
      let started = 0;
      const timer = setInterval(checkProgress, patienceMs);
      let seen = 0;

      function checkProgress(): void {
        const now = answered.length + received.length;
        if (now === seen) end(new Error(`of ${count}, ${answered.length} answered and ${received.length} received`));
        seen = now;
      }
      function end(error?: Error): void {
        clearInterval(timer);
        if (error === undefined) resolve({ answered, received });
        else reject(error);
      }
      function startNext(): void {
        const index = started++;
        const body = Buffer.from(bodies[index % keyCount] as Buffer);
        // The nonce is the last of an envelope, and tells one from another.
        body.writeUInt32LE(index, body.length - 4);
        startedMs[index] = performance.now();
        publisher.post(wire.publish, body, (error) => {
          if (error !== undefined) return end(error);
          answered.push(performance.now() - (startedMs[index] as number));
          if (started < count) startNext();
          else if (answered.length + received.length === 2 * count) end();
        });
      }
      onEnvelope = (index) => {
        received.push(performance.now() - (startedMs[index] as number));
        if (answered.length + received.length === 2 * count) end();
      };
      for (let i = 0; i < Math.min(atOnce, count); i++) startNext();
      return promise;
    },
    visit: (key) => subscribe(wire.subscribe, [key], () => {}),
    close() {
      publisher.close();
      reader.close();
    },
  };
}

/** Cuts a stream into messages and reads the number that each ends with. An empty one says that all is subscribed. */
function createReader(onIndex: (index: number) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= prefixBytes) {
      const end = at + prefixBytes + bytes.readUInt32BE(at + 1);
      if (bytes.length < end) break;
      if (end - at > prefixBytes) onIndex(bytes.readUInt32LE(end - 4));
      at = end;
    }
    rest = bytes.subarray(at);
  };
}
