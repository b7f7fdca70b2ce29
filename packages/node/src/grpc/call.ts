/** One gRPC call on a connection: one request, bytes of messages in return, and exactly one outcome. */

import { constants, type OutgoingHttpHeaders } from "node:http2";
import { WiceError } from "@wice/core";
import type { Connection } from "./connection.ts";
import { resetError, responseError, statusError } from "./status.ts";

export interface CallHandlers {
  /** Bytes of framed messages. What it throws ends the call with that error. */
  onData(chunk: Uint8Array): void;
  /** The call is over: with an error, or without one when its status is OK. Not called after {@link Call.cancel}. */
  onEnd(error: WiceError | undefined): void;
}

export interface Call {
  /** Stops the flow of data; the server is held back by HTTP/2's flow control. */
  pause(): void;
  resume(): void;
  /** Ends the call, without {@link CallHandlers.onEnd}. Idempotent. */
  cancel(): void;
}

/** Throws `unavailable` where the connection takes no calls any more. */
export function startCall(
  connection: Connection,
  headers: OutgoingHttpHeaders,
  request: Uint8Array,
  { onData, onEnd }: CallHandlers,
): Call {
  const { where } = connection;
  const stream = connection.request(headers);
  let outcome: { readonly error: WiceError | undefined } | undefined;
  let over = false;

  const cancel = (): void => {
    if (over) return;
    over = true;
    stream.close(constants.NGHTTP2_CANCEL);
    // What was buffered while paused would otherwise hold the stream for ever.
    stream.resume();
  };
  const fail = (error: WiceError): void => {
    if (over) return;
    cancel();
    onEnd(error);
  };

  stream.on("response", (response) => {
    connection.heard();
    if (over) return;
    const error = responseError(response, response[":status"] ?? 0, where);
    if (error !== undefined) fail(error);
    else if (response["grpc-status"] !== undefined) outcome = { error: statusError(response, where) };
  });
  stream.on("data", (chunk: Buffer) => {
    connection.heard();
    if (over) return;
    try {
      onData(chunk);
    } catch (cause) {
      fail(cause instanceof WiceError ? cause : new WiceError("internal", "a message could not be handled", { cause }));
    }
  });
  stream.on("trailers", (trailers) => {
    outcome = { error: statusError(trailers, where) };
  });
  // What a stream's error says is said better by the reset code, or by the connection's failure.
  stream.on("error", () => {});
  stream.once("close", () => {
    if (over) return;
    over = true;
    if (outcome !== undefined) onEnd(outcome.error);
    else onEnd(connection.failure ?? resetError(stream.rstCode ?? 0, where));
  });
  stream.end(request);

  return {
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    cancel,
  };
}
