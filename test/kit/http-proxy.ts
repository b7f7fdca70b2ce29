/** A reverse proxy over HTTP/1.1 between a browser and a relay, with the faults of proxies and portals on command. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What becomes of a request. Questions of CORS (OPTIONS) are answered as ever. */
export type HttpFault =
  /** Answers by itself; with CORS, so that the page may read it, unless told otherwise. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: OutgoingHttpHeaders;
      readonly body?: string;
      readonly cors?: false;
    }
  /** Says that the relay's answer is of this type. */
  | { readonly kind: "type"; readonly contentType: string }
  /** Puts these bytes in place of the answer's body. */
  | { readonly kind: "garbage"; readonly bytes: Uint8Array }
  /** Keeps the answer until it is complete, as proxies do that buffer. */
  | { readonly kind: "buffer" }
  /** Breaks the connection after so many bytes of the answer's body, or ends the answer there as if that were all of it. */
  | { readonly kind: "cut"; readonly afterBytes: number; readonly orderly?: true }
  /** Takes the request, and that was it. */
  | { readonly kind: "silence" };

export interface HttpProxy extends AsyncDisposable {
  readonly url: string;
  /** The methods of the calls that came, oldest first: `Publish`, `Listen`. */
  readonly calls: readonly string[];
  /** How many calls were open at a time, at most. */
  readonly peak: number;
  /** For calls from now on, of all methods or of one. */
  fail(fault: HttpFault, method?: string): void;
  /** Calls from now on go through. Those that failed stay as they are. */
  heal(): void;
}

export async function createHttpProxy(target: string): Promise<HttpProxy> {
  const calls: string[] = [];
  let open = 0;
  let peak = 0;
  let current: { readonly fault: HttpFault; readonly method: string | undefined } | undefined;
  const server = createServer((incoming, response) => {
    const method = incoming.url?.split("/").at(-1) ?? "";
    if (incoming.method !== "OPTIONS") calls.push(method);
    open += 1;
    peak = Math.max(peak, open);
    response.once("close", () => {
      open -= 1;
    });
    const hit = incoming.method !== "OPTIONS" && (current?.method ?? method) === method;
    serve(target, hit ? current?.fault : undefined, incoming, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    get peak() {
      return peak;
    },
    fail(fault, method) {
      current = { fault, method };
    },
    heal() {
      current = undefined;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function serve(
  target: string,
  fault: HttpFault | undefined,
  incoming: IncomingMessage,
  response: ServerResponse,
): void {
  if (fault?.kind === "silence") return;
  if (fault?.kind === "answer") {
    const cors =
      fault.cors === false ? {} : { "access-control-allow-origin": "*", "access-control-expose-headers": "*" };
    response.writeHead(fault.status, { ...cors, ...fault.headers }).end(fault.body);
    return;
  }
  const { method, headers, url = "/" } = incoming;
  const outgoing = request(new URL(url, target), { method, headers, agent: false }, (answer) => {
    const { "transfer-encoding": _, "content-length": _length, ...answered } = answer.headers;
    if (fault?.kind === "type") answered["content-type"] = fault.contentType;
    response.writeHead(answer.statusCode ?? 502, answered);
    if (fault?.kind === "garbage") {
      response.end(fault.bytes);
      outgoing.destroy();
    } else if (fault?.kind === "buffer") {
      response.flushHeaders();
      void answer.toArray().then((chunks) => response.end(Buffer.concat(chunks as Buffer[])), cut);
    } else if (fault?.kind === "cut") {
      let left = fault.afterBytes;
      response.flushHeaders();
      answer.on("data", (chunk: Buffer) => {
        if (left > 0) response.write(chunk.subarray(0, left));
        left -= chunk.length;
        if (left > 0) return;
        if (fault.orderly === true) response.end();
        else setImmediate(cut);
      });
      answer.on("end", cut);
      answer.on("error", cut);
    } else {
      answer.on("error", cut).pipe(response);
    }
  });
  const cut = (): void => {
    outgoing.destroy();
    response.socket?.resetAndDestroy();
  };
  outgoing.on("error", cut);
  response.on("close", () => outgoing.destroy());
  incoming.pipe(outgoing);
}
