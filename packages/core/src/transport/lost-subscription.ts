/** How a live subscription ends that nobody ended on purpose. */

import { WiceError } from "../errors.ts";

/** A live subscription that ends can be had again, whatever the server says; the next try tells otherwise. */
export function lostSubscription(error: WiceError): WiceError {
  if (error.code === "closed" || (error.code === "unavailable" && error.retryable)) return error;
  return new WiceError("unavailable", `the subscription was lost: ${error.message}`, {
    cause: error,
    retryable: true,
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
  });
}
