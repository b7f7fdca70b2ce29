/** `Publish`: one envelope to the server, and how many subscribers it reached. */

import type { OutgoingHttpHeaders } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { type TransportReceipt, WiceError } from "@wice/core";
import { onAbort } from "@wice/core/transport";
import { PublishResultSchema } from "@wice/core/wire";
import { type Call, startCall } from "./call.ts";
import type { Connection } from "./connection.ts";
import { createMessageReader } from "./framing.ts";

export interface PublishCall {
  readonly headers: OutgoingHttpHeaders;
  /** The framed envelope. */
  readonly request: Uint8Array;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Far more than a server has to say about one envelope. */
const maxResultBytes = 4096;

export function publish(
  connection: Connection,
  { headers, request, timeoutMs, signal }: PublishCall,
): Promise<TransportReceipt> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const results: Uint8Array[] = [];
    const reader = createMessageReader({
      maxBytes: maxResultBytes,
      onMessage: (message) => results.push(message),
      onOversized() {
        throw new WiceError("protocol", `${connection.where} answered far too much`);
      },
    });
    let call: Call;
    const settle = (): void => {
      clearTimeout(deadline);
      removeAbort();
    };
    const cancel = (reason: unknown): void => {
      settle();
      call.cancel();
      reject(reason);
    };
    const deadline = setTimeout(() => {
      cancel(
        new WiceError("unavailable", `${connection.where} did not answer within ${timeoutMs} ms`, { retryable: true }),
      );
    }, timeoutMs).unref();
    const removeAbort = onAbort(signal, () => cancel(signal?.reason));
    try {
      call = startCall(connection, headers, request, {
        onData: reader.push,
        onEnd(error) {
          settle();
          if (error !== undefined) return reject(error);
          const [result, ...more] = results;
          if (result === undefined || more.length > 0 || !reader.atBoundary) {
            return reject(
              new WiceError("protocol", `${connection.where} answered a publish with no or several results`),
            );
          }
          try {
            resolve(readReceipt(result));
          } catch (cause) {
            reject(new WiceError("protocol", `${connection.where} answered a publish with garbage`, { cause }));
          }
        },
      });
    } catch (error) {
      settle();
      reject(error);
    }
  });
}

/** Upstream's servers answer an empty message. */
function readReceipt(result: Uint8Array): TransportReceipt {
  if (result.length === 0) return {};
  const { subscribers } = fromBinary(PublishResultSchema, result);
  return subscribers === undefined ? {} : { subscribers };
}
