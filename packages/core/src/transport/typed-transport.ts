/** Holds an author's transport to the two promises that are forgotten most easily. */

import { abortable } from "../async/signal.ts";
import type { CallOptions } from "../call-options.ts";
import { asWiceError } from "../errors.ts";
import type { EnvelopeTransport } from "./transport.ts";

/** The transport, whose publish ends when it is aborted, and whose calls reject with the signal's reason or a WiceError. */
export function createTypedTransport(transport: EnvelopeTransport): EnvelopeTransport {
  const typed = async <T>(call: Promise<T>, { signal }: CallOptions): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      signal?.throwIfAborted();
      throw asWiceError(error, "the transport");
    }
  };
  return {
    publish: (envelope, options = {}) =>
      typed(abortable(transport.publish(envelope, options), options.signal), options),
    subscribe: (recipient, options = {}) => typed(transport.subscribe(recipient, options), options),
    close: () => transport.close(),
  };
}
