/** Puts load on a signaling server: unary publications, so many at a time, all to one subscriber. */

import { randomBytes } from "node:crypto";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { EnvelopeSchema, SubscribeParamsSchema } from "@wice/core/wire";

export interface Load {
  /** Publishes so many envelopes and resolves when all are answered and delivered. */
  publish(count: number, atOnce: number): Promise<void>;
  close(): void;
}

/** A key that passes for one: any 32 bytes below the prime, but those of low order. */
export function someKey(): Buffer {
  const key = randomBytes(32);
  key[31] = 0x40;
  return key;
}

export function envelopeFrame(recipient: Uint8Array, bodyBytes: number): Buffer {
  return framed(
    toBinary(
      EnvelopeSchema,
      create(EnvelopeSchema, {
        sender: someKey(),
        recipient,
        contents: { body: randomBytes(bodyBytes), nonce: randomBytes(24) },
      }),
    ),
  );
}

export function openStream(session: ClientHttp2Session, method: string, body: Buffer): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": `/cunicu.signaling.Signaling/${method}`,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.end(body);
  return stream;
}

export function subscription(params: MessageInitShape<typeof SubscribeParamsSchema>): Buffer {
  return framed(toBinary(SubscribeParamsSchema, create(SubscribeParamsSchema, params)));
}

export async function createLoad(url: string, bodyBytes: number): Promise<Load> {
  const [publisher, reader] = [connect(url), connect(url)];
  const key = someKey();
  const frame = envelopeFrame(key, bodyBytes);
  let received = 0;
  let expected = 0;
  let arrived: (() => void) | undefined;
  const stream = openStream(reader, "Subscribe", subscription({ key }));
  await new Promise((resolve) => stream.once("data", resolve));
  stream.on("data", (chunk: Buffer) => {
    received += chunk.length;
    if (received >= expected) arrived?.();
  });

  const publishOne = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const call = openStream(publisher, "Publish", frame);
      call.on("error", reject);
      call.on("close", resolve);
      call.resume();
    });

  return {
    async publish(count, atOnce) {
      expected = received + count * frame.length;
      const delivered = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      let left = count;
      const work = async (): Promise<void> => {
        while (left-- > 0) await publishOne();
      };
      await Promise.all(Array.from({ length: atOnce }, work));
      await delivered;
    },
    close() {
      publisher.destroy();
      reader.destroy();
    },
  };
}

/** A gRPC message: no flags, four bytes of length, the bytes. */
function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}
