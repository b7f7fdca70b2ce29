/** The `Listen` of a relay in the hands of the test. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { EnvelopeSchema, type Envelope as WireEnvelope } from "@wice/core/wire";
import type { RelayClient } from "../../src/connect/relay-client.ts";
import { turns } from "./turns.ts";

export interface FakeListen {
  readonly client: RelayClient;
  /** That were asked for. */
  readonly keys: readonly string[];
  readonly aborted: boolean;
  /** Resolves when they were taken. */
  send(...messages: readonly MessageInitShape<typeof EnvelopeSchema>[]): Promise<void>;
  /** Ends it, with an error where there is one. */
  end(error?: unknown): Promise<void>;
}

/** For one call. It does not heed the signal: what comes late must do no harm. */
export function createFakeListen(): FakeListen {
  const body = new TransformStream<WireEnvelope, WireEnvelope>(undefined, undefined, { highWaterMark: 1_000 });
  const writer = body.writable.getWriter();
  const reader = body.readable.getReader();
  let keys: string[] = [];
  let asked: AbortSignal | undefined;
  return {
    client: {
      publish: () => Promise.reject(new Error("nothing is published here")),
      async *listen(wanted, signal) {
        keys = wanted.map(String);
        asked = signal;
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return;
          yield value;
        }
      },
    },
    get keys() {
      return keys;
    },
    get aborted() {
      return asked?.aborted ?? false;
    },
    async send(...messages) {
      for (const message of messages) await writer.write(create(EnvelopeSchema, message));
      await turns();
    },
    async end(error) {
      if (error === undefined) await writer.close();
      else await writer.abort(error);
      await turns();
    },
  };
}
