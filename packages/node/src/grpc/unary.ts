/** A unary call: one message to the server, and one back. */

import type { OutgoingHttpHeaders } from "node:http2";
import { WiceError } from "@wice/core";
import { onAbort } from "@wice/core/transport";
import { type Call, startCall } from "./call.ts";
import type { Connection } from "./connection.ts";
import { createMessageReader } from "./framing.ts";

export interface UnaryCall {
  readonly headers: OutgoingHttpHeaders;
  /** The framed message. */
  readonly request: Uint8Array;
  readonly maxAnswerBytes: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Resolves with the answer, without its frame. */
export function callUnary(
  connection: Connection,
  { headers, request, maxAnswerBytes, timeoutMs, signal }: UnaryCall,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const answers: Uint8Array[] = [];
    const reader = createMessageReader({
      maxBytes: maxAnswerBytes,
      onMessage: (message) => answers.push(message),
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
          const [answer, ...more] = answers;
          if (answer === undefined || more.length > 0 || !reader.atBoundary)
            return reject(new WiceError("protocol", `${connection.where} answered a call with no or several messages`));
          resolve(answer);
        },
      });
    } catch (error) {
      settle();
      reject(error);
    }
  });
}
