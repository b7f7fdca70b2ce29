/** Writes what the router answers, as fast as the client reads. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";

/** `closed` aborts when the response can take nothing any more. Stops a client that is still sending. */
export async function writeResponse(
  answer: UniversalServerResponse,
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  closed: AbortSignal,
): Promise<void> {
  const { status, header, body, trailer } = answer;
  if (closed.aborted) return;
  // They are one class for all that is used here.
  const output = response as ServerResponse;
  output.writeHead(status, Object.fromEntries(header ?? []));
  // Leaving the loop tells the implementation of the call that it is over.
  for await (const bytes of body ?? []) {
    if (closed.aborted) return;
    if (!output.write(bytes)) await drained(output, closed);
  }
  if (closed.aborted) return;
  if (trailer !== undefined) output.addTrailers(Object.fromEntries(trailer));
  if (response instanceof Http2ServerResponse && !request.complete) {
    endEarly(response);
  } else output.end();
}

/** The client of a stream of HTTP/2 may go on for ever once it has its answer. */
function endEarly(response: Http2ServerResponse): void {
  const { stream } = response;
  // With this event the answer ends, with trailers or without; a reset in the same turn would overtake the end.
  stream.once("wantTrailers", () => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)));
  response.end();
}

function drained(output: ServerResponse, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      output.off("drain", settle);
      closed.removeEventListener("abort", settle);
      resolve();
    };
    if (closed.aborted) return resolve();
    output.on("drain", settle);
    closed.addEventListener("abort", settle);
  });
}
