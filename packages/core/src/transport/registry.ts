/** From a URL to a transport: a table by scheme that the application passes in. */

import { WiceError } from "../errors.ts";
import type { EnvelopeTransport } from "./transport.ts";

/** Makes transports for URLs of some schemes. It must not do I/O: the transport connects when it is used. */
export interface TransportFactory {
  /** Without the colon: `"grpc"`. */
  readonly schemes: readonly string[];
  /** Throws `invalid-url` where the URL does not have the documented form. */
  open(url: URL): EnvelopeTransport;
}

export interface TransportRegistry {
  readonly schemes: readonly string[];
  /** Throws `invalid-url` or `unknown-scheme`. */
  open(url: string): EnvelopeTransport;
}

/**
 * A registry of the given factories; the later of two for one scheme wins.
 *
 * ```ts
 * const registry = createTransportRegistry([inProcessFactory()]);
 * const backend = createBackend(registry.open("inprocess:demo"));
 * ```
 */
export function createTransportRegistry(factories: readonly TransportFactory[]): TransportRegistry {
  const byScheme = new Map(factories.flatMap((factory) => factory.schemes.map((scheme) => [scheme, factory] as const)));
  const schemes = [...byScheme.keys()];
  return {
    schemes,
    open(text) {
      const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase();
      // "localhost:8080" reads as a URL of scheme "localhost", which nobody means.
      if (scheme === undefined || /^[a-z][a-z0-9+.-]*:\d+$/i.test(text)) {
        throw new WiceError(
          "invalid-url",
          `the URL has no scheme; write for example ${schemes[0] ?? "grpc"}://host:port`,
        );
      }
      const factory = byScheme.get(scheme);
      if (factory === undefined) {
        throw new WiceError("unknown-scheme", `no transport for "${scheme}:"; known are ${schemes.join(", ")}`);
      }
      let url: URL;
      try {
        url = new URL(text);
      } catch {
        // No cause: the platform's error quotes the URL, and with it a password.
        throw new WiceError("invalid-url", `not a URL, but for its scheme "${scheme}:"`);
      }
      return factory.open(url);
    },
  };
}
