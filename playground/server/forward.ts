/**
 * The relay at the page's own address: a phone then has one certificate to accept, and a firewall one port to open.
 * Calls are passed on as they are, streams included.
 */

import { Agent, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from "node:http";

export interface Forwarder {
  /** Whether it is a call for the relay, which is then answered; everything else is the page's. */
  forward(incoming: IncomingMessage, answer: ServerResponse): boolean;
  close(): void;
}

const relayCall = /^\/(cunicu\.signaling|wice\.v1)\.\w+\/\w+$/;

/** What belongs to one connection, and not to the call (RFC 9110, section 7.6.1). */
const ofConnection: ReadonlySet<string> = new Set([
  "connection",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

export function createForwarder(relay: { readonly host: string; readonly port: number }): Forwarder {
  const agent = new Agent({ keepAlive: true });
  return {
    forward(incoming, answer) {
      if (!relayCall.test(incoming.url ?? "")) return false;
      const call = request({
        ...relay,
        agent,
        method: incoming.method,
        path: incoming.url,
        headers: withoutConnection(incoming.headers),
      });
      call.on("response", (response) => {
        answer.writeHead(response.statusCode ?? 502, withoutConnection(response.headers));
        answer.flushHeaders();
        response.on("error", () => answer.destroy());
        response.pipe(answer);
      });
      call.on("error", () => {
        if (answer.headersSent) answer.destroy();
        else answer.writeHead(503, { "content-type": "text/plain" }).end("the relay cannot be reached\n");
      });
      answer.on("close", () => call.destroy());
      answer.on("error", () => {});
      incoming.on("error", () => call.destroy());
      incoming.pipe(call);
      return true;
    },
    close: () => agent.destroy(),
  };
}

function withoutConnection(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !name.startsWith(":") && !ofConnection.has(name)) kept[name] = value;
  }
  return kept;
}
