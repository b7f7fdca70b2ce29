/** Every way to speak to a relay: protocol, encoding, version of HTTP, with and without TLS. */

import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { type Envelope, Relay, Signaling } from "@wice/core/wire";
import { onTestFinished } from "vitest";

export interface Dialect {
  readonly protocol: "grpc" | "grpc-web" | "connect";
  readonly encoding: "binary" | "json";
  readonly httpVersion: "1.1" | "2";
}

export const dialects: readonly Dialect[] = (["grpc", "grpc-web", "connect"] as const).flatMap((protocol) =>
  (["binary", "json"] as const).flatMap((encoding) =>
    (["1.1", "2"] as const).map((httpVersion) => ({ protocol, encoding, httpVersion })),
  ),
);

export function nameOf({ protocol, encoding, httpVersion }: Dialect): string {
  return `${protocol} ${encoding} over HTTP/${httpVersion}`;
}

export function transportFor(dialect: Dialect, baseUrl: string, ca?: string): Transport {
  const options = {
    baseUrl,
    httpVersion: dialect.httpVersion,
    useBinaryFormat: dialect.encoding === "binary",
    ...(ca !== undefined && { nodeOptions: { ca } }),
  };
  switch (dialect.protocol) {
    case "grpc":
      return createGrpcTransport(options);
    case "grpc-web":
      return createGrpcWebTransport(options);
    case "connect":
      return createConnectTransport(options);
  }
}

export interface Stream {
  readonly next: () => Promise<Envelope>;
  readonly abort: () => void;
}

/** Opens a Listen, and resolves once all keys are live. */
export async function listen(
  transport: Transport,
  keys: readonly Uint8Array[],
  options: { readonly heartbeatMs?: number } = {},
): Promise<Stream> {
  return await live((signal) =>
    createClient(Relay, transport).listen({ keys: keys.map((key) => Uint8Array.from(key)), ...options }, { signal }),
  );
}

export async function subscribe(transport: Transport, key: Uint8Array): Promise<Stream> {
  return await live((signal) =>
    createClient(Signaling, transport).subscribe({ key: Uint8Array.from(key) }, { signal }),
  );
}

async function live(open: (signal: AbortSignal) => AsyncIterable<Envelope>): Promise<Stream> {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const envelopes = open(controller.signal)[Symbol.asyncIterator]();
  const next = async (): Promise<Envelope> => {
    const { done, value } = await envelopes.next();
    if (done === true) throw new Error("the stream ended as if nothing had happened");
    return value;
  };
  const first = await next();
  if (first.sender.length > 0) throw new Error("the first envelope is not empty");
  return { next, abort: () => controller.abort() };
}
