/** What the tabs that share a stream tell each other over a BroadcastChannel. */

import { WiceError, type WiceErrorCode } from "@wice/core";

/** From a tab to whoever leads. `tab` is the sender; tickets are its subscriptions, by number. */
export type Request =
  | { readonly type: "join"; readonly tab: string; readonly ticket: number; readonly key: string }
  | { readonly type: "leave"; readonly tab: string; readonly ticket: number }
  | { readonly type: "ping"; readonly tab: string };

/** From a leader to one tab. `term` names the sender, for as long as it leads. */
export type Answer =
  | { readonly type: "here"; readonly term: string; readonly to: string }
  | { readonly type: "live"; readonly term: string; readonly to: string; readonly ticket: number }
  | {
      readonly type: "envelope";
      readonly term: string;
      readonly to: string;
      readonly ticket: number;
      readonly bytes: Uint8Array;
    }
  | {
      readonly type: "end";
      readonly term: string;
      readonly to: string;
      readonly ticket: number;
      readonly error: PlainError;
    };

/** From a leader to all, when it begins to lead and when it ends. */
export interface Notice {
  readonly type: "leading" | "gone";
  readonly term: string;
}

export type TabMessage = Request | Answer | Notice;

/** A {@link WiceError} as a structured clone keeps it. */
export interface PlainError {
  readonly code: WiceErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
}

export function toPlainError({ code, message, retryable, retryAfterMs }: WiceError): PlainError {
  return { code, message, retryable, retryAfterMs };
}

export function fromPlainError({ code, message, retryable, retryAfterMs }: PlainError): WiceError {
  return new WiceError(code, message, { retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) });
}
