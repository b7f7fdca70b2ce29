/** Answers as the protocols of the web like them. */

import type { OutgoingHttpHeaders } from "node:http";
import type { Call } from "./call.ts";

export function wholeAnswer(call: Call, body: Buffer): void {
  call.http.head(call, 200, { "content-type": call.contentType, "content-length": body.length });
  call.output.end(body);
}

/** Proxies like to collect, compress and keep what passes: not this. */
export function streamHeaders({ contentType }: Call): OutgoingHttpHeaders {
  return { "content-type": contentType, "cache-control": "no-store, no-transform", "x-accel-buffering": "no" };
}
