/** Which pages may call the relay. Browsers ask; nobody else does. No cookies or passwords are ever involved. */

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { cors as connectCors } from "@connectrpc/connect";
import { WiceError } from "@wice/core";
import { retryHeader } from "./status.ts";

export interface Cors {
  /** What the answer to a page says; undefined when no page asks. */
  headersFor(headers: IncomingHttpHeaders): OutgoingHttpHeaders | undefined;
  /** The answer to the question that a browser asks before it sends a page's request (OPTIONS). */
  preflight(headers: IncomingHttpHeaders): OutgoingHttpHeaders;
}

/** How long a browser may remember the answer: the most that Chromium takes. */
const maxAgeSeconds = "7200";

const methods = /* @__PURE__ */ connectCors.allowedMethods.join(", ");
const requestHeaders = /* @__PURE__ */ connectCors.allowedHeaders.join(", ");
const responseHeaders = /* @__PURE__ */ [...connectCors.exposedHeaders, retryHeader].join(", ");

const anyOrigin: OutgoingHttpHeaders = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": responseHeaders,
};

/**
 * Throws `invalid-argument` for what is not an origin as browsers write it: scheme, host and, where it is not the usual
 * one, port.
 */
export function createCors(origins: readonly string[] | undefined): Cors {
  if (origins === undefined) return corsOf(() => anyOrigin);
  const known = new Map<string, OutgoingHttpHeaders>();
  for (const origin of origins) {
    if (!isOrigin(origin))
      throw new WiceError("invalid-argument", "an origin is written as https://example.org or http://localhost:5173");
    known.set(origin, { ...anyOrigin, "access-control-allow-origin": origin, vary: "origin" });
  }
  const stranger: OutgoingHttpHeaders = { vary: "origin" };
  return corsOf((origin) => known.get(origin) ?? stranger);
}

function corsOf(answerTo: (origin: string) => OutgoingHttpHeaders): Cors {
  return {
    headersFor: ({ origin }) => (origin === undefined ? undefined : answerTo(origin)),
    preflight(headers) {
      const { "access-control-expose-headers": _, ...allowed } = answerTo(headers.origin ?? "");
      if (allowed["access-control-allow-origin"] === undefined) return allowed;
      return {
        ...allowed,
        "access-control-allow-methods": methods,
        "access-control-allow-headers": requestHeaders,
        "access-control-max-age": maxAgeSeconds,
        // A page of the Internet, and a relay in the local network.
        ...(headers["access-control-request-private-network"] === "true" && {
          "access-control-allow-private-network": "true",
        }),
        vary: "origin, access-control-request-method, access-control-request-headers, access-control-request-private-network",
      };
    },
  };
}

/** Whether browsers would write it so. */
export function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { origin, protocol, host } = new URL(text);
  // The origins of browser extensions and of programs that embed a browser have schemes that URL knows nothing of.
  return (origin === "null" ? `${protocol}//${host}` : origin) === text && host !== "";
}
