/** What a page under test and its tests agree on: functions by name, whose arguments and results can be cloned. */

/** For `Functions extends PageFunctions<Functions>`, which an interface meets as well as a type. */
export type PageFunctions<Functions> = {
  // biome-ignore lint/suspicious/noExplicitAny: only this fits functions of whatever arguments.
  readonly [Name in keyof Functions]: (...args: any[]) => unknown;
};

/** How a call ended, in a form that survives the way out of the page. */
export type PageOutcome = { readonly value: unknown } | { readonly error: PageFailure };

/** An error, and what a WiceError has beside. */
export interface PageFailure {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: string | undefined;
  readonly retryable?: boolean | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: PageFailure | undefined;
}

/** The name in the page's global scope that tests call. */
export interface PageGlobal {
  callPageFunction?: (name: string, args: readonly unknown[]) => Promise<PageOutcome>;
}
