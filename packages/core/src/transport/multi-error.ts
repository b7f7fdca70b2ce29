/** What to say when none of several transports works. */

import { WiceError } from "../errors.ts";

/** One error for all: retryable where one of them is, of their code where they agree. */
export function combined(errors: readonly WiceError[]): WiceError {
  const [first] = errors;
  if (first !== undefined && errors.length === 1) return first;
  const retryable = errors.some((error) => error.retryable);
  const waits = errors.map(({ retryAfterMs }) => retryAfterMs ?? 0);
  const retryAfterMs = Math.min(...waits);
  const code = errors.every((error) => error.code === first?.code) ? first?.code : undefined;
  const text = `none of ${errors.length} transports works: ${errors.map(({ message }) => message).join("; ")}`;
  return new WiceError(code ?? "unavailable", text, {
    cause: new AggregateError(errors, text),
    retryable,
    ...(retryable && retryAfterMs > 0 && { retryAfterMs }),
  });
}
