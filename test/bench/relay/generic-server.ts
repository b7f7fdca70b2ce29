/** The way one would write a relay first: Connect's adapter for Node, and a map of keys to queues. */

import { createServer as createHttp1 } from "node:http";
import { createServer as createHttp2 } from "node:http2";
import type { AddressInfo } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type EnvelopeSchema, Relay, Signaling } from "@wice/core/wire";
import { reportTo } from "./report.ts";

type Envelope = MessageInitShape<typeof EnvelopeSchema>;

const subscribers = new Map<string, Set<(envelope: Envelope) => void>>();

async function* subscribe(keys: readonly Uint8Array[], { signal }: HandlerContext): AsyncGenerator<Envelope> {
  const waiting: Envelope[] = [{}];
  let wake = (): void => {};
  const take = (envelope: Envelope): void => {
    waiting.push(envelope);
    wake();
  };
  for (const name of keys.map(nameOf)) subscribers.set(name, (subscribers.get(name) ?? new Set()).add(take));
  signal.addEventListener("abort", () => wake());
  while (!signal.aborted) {
    yield* waiting.splice(0);
    if (waiting.length > 0) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  for (const name of keys.map(nameOf)) subscribers.get(name)?.delete(take);
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString("base64");
}

const handler = connectNodeAdapter({
  routes(router) {
    router.service(Signaling, {
      getBuildInfo: () => ({}),
      subscribe: ({ key }, context) => subscribe([key], context),
      publish(envelope) {
        const to = subscribers.get(nameOf(envelope.recipient));
        for (const take of to ?? []) take(envelope);
        return { subscribers: to?.size ?? 0 };
      },
    });
    router.service(Relay, { listen: ({ keys }, context) => subscribe(keys, context), getServerInfo: () => ({}) });
  },
});

const server = process.env.WICE_BENCH_HTTP === "1.1" ? createHttp1(handler) : createHttp2(handler);
server.listen(0, "127.0.0.1", () => reportTo(process, (server.address() as AddressInfo).port));
