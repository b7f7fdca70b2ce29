/** Calls to a relay, in whichever protocol it is spoken to. */

import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { WiceError } from "@wice/core";

/** Calls reject with the signal's reason or a {@link WiceError}. */
export interface RelayCalls {
  unary<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    message: MessageInitShape<Input>,
    options: UnaryOptions,
  ): Promise<MessageShape<Output>>;
  stream<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodServerStreaming<Input, Output>,
    message: MessageInitShape<Input>,
    signal: AbortSignal,
  ): AsyncIterable<MessageShape<Output>>;
}

export interface UnaryOptions {
  /** From the call to the whole answer; then `unavailable`. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The connection ended where it should not have. */
export function broken(where: string, cause: unknown): WiceError {
  return new WiceError("unavailable", `the connection to ${where} broke`, { cause, retryable: true });
}

/** What came is nothing that the protocol has. */
export function garbage(where: string, cause?: unknown): WiceError {
  return new WiceError("protocol", `${where} answered with garbage`, { cause });
}

/** The time of a unary call is over, by our clock or by the relay's: it is told when. */
export function tooLate(where: string, timeoutMs: number): WiceError {
  return new WiceError("unavailable", `${where} did not answer within ${timeoutMs} ms`, { retryable: true });
}
