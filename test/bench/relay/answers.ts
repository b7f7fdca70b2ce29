/** What a relay answers, recorded by Node's own clients for the bare programs that shall answer the same bytes. */

import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect, type IncomingHttpHeaders } from "node:http2";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type CallShape, envelopeTo, listenTo, requestBody, someKey, type Wire } from "./wire.ts";

export interface Answers {
  /** To a publication that one subscriber took. */
  readonly unary: { readonly headers: Headers; readonly bodyBase64: string };
  /** To a Listen. */
  readonly streamHeaders: Headers;
  /** The length-prefixed envelope that arrives there. */
  readonly envelopeBase64: string;
}

type Headers = Readonly<Record<string, string>>;

/** The variable by which the bare programs get them, as JSON. */
export const answersVariable = "WICE_BENCH_ANSWERS";

interface Answer {
  readonly headers: Headers;
  readonly body: Readable;
}

/** Publishes one envelope of `bodyBytes` to one listener. */
export async function recordAnswers(url: string, wire: Wire, bodyBytes: number): Promise<Answers> {
  const key = someKey();
  const envelope = envelopeTo(key, bodyBytes);
  const { ask, close } = wire.http === "2" ? askHttp2(url) : askHttp1(url);
  const listening = await ask(wire.listen, requestBody(wire.listen, listenTo([key])));
  const unary = await ask(wire.publish, requestBody(wire.publish, envelope));
  const body = await buffer(unary.body);
  close();
  return {
    unary: { headers: unary.headers, bodyBase64: body.toString("base64") },
    streamHeaders: listening.headers,
    envelopeBase64: requestBody(wire.listen, envelope).toString("base64"),
  };
}

interface Asking {
  ask(call: CallShape, body: Buffer): Promise<Answer>;
  close(): void;
}

function askHttp2(url: string): Asking {
  const session = connect(url);
  return {
    async ask(call, body) {
      const stream = session.request({ ":method": "POST", ":path": call.path, ...call.headers });
      stream.on("error", () => {}).end(body);
      const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
      return { headers: own(headers), body: stream };
    },
    close: () => session.destroy(),
  };
}

function askHttp1(url: string): Asking {
  const end = new AbortController();
  return {
    async ask({ path, headers }, body) {
      const call = request(new URL(path, url), { method: "POST", headers, signal: end.signal, agent: false });
      call.on("error", () => {}).end(body);
      const [response] = (await once(call, "response")) as [IncomingMessage];
      response.on("error", () => {});
      return { headers: own(response.headers), body: response };
    },
    close: () => end.abort(),
  };
}

/** What the program chose, and not Node. */
function own(headers: IncomingHttpHeaders): Headers {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      typeof value !== "string" || ofNode.has(name) || name.startsWith(":") ? [] : [[name, value]],
    ),
  );
}

const ofNode: ReadonlySet<string> = /* @__PURE__ */ new Set(["date", "connection", "keep-alive", "transfer-encoding"]);
