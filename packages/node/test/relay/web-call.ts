/** One request in any protocol over either version of HTTP, byte by byte as a test wants it, and what became of it. */

import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request as requestHttp1 } from "node:http";
import { openSession } from "./raw-client.ts";
import { unframed } from "./wire.ts";

export interface WebCall {
  readonly httpVersion: "1.1" | "2";
  readonly path: string;
  readonly method?: string;
  readonly headers: OutgoingHttpHeaders;
  /** In the pieces in which it is written, each in a turn of its own. */
  readonly body: readonly Uint8Array[];
  /** Leaves the request open. */
  readonly endless?: boolean;
  /** Cuts the connection once that much of an answer has come. */
  readonly cutAfterBytes?: number;
}

export interface WebAnswer {
  /** Undefined: the request was reset, or the connection closed. */
  readonly http: number | undefined;
  /** Headers and trailers of HTTP. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export async function webCall(url: string, call: WebCall): Promise<WebAnswer> {
  return call.httpVersion === "2" ? await callHttp2(url, call) : await callHttp1(url, call);
}

/** How the call ended, in one form for all protocols. */
export interface WebOutcome {
  readonly http: number | undefined;
  /** As Connect spells it; `ok`; undefined when there is none. */
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly retryAfterMs: string | undefined;
  readonly messages: readonly Buffer[];
}

const grpcCodes: Readonly<Record<string, string>> = {
  "0": "ok",
  "1": "canceled",
  "3": "invalid_argument",
  "4": "deadline_exceeded",
  "5": "not_found",
  "8": "resource_exhausted",
  "12": "unimplemented",
  "13": "internal",
  "14": "unavailable",
};

const hintName = "grpc-retry-pushback-ms";

export function outcomeOf(contentType: string, { http, headers, body }: WebAnswer): WebOutcome {
  const type = contentType.toLowerCase();
  if (http !== 200 && !/^application\/(proto|json)$/.test(type)) {
    return { http, code: undefined, message: undefined, retryAfterMs: undefined, messages: [] };
  }
  const hint = headers[hintName] as string | undefined;
  if (type.startsWith("application/grpc-web")) {
    const trailers = headers["grpc-status"] === undefined ? trailersIn(lastFrame(body, 0x80)) : headers;
    return {
      http,
      code: grpcCodes[String(trailers["grpc-status"])],
      message: decodeURIComponent(String(trailers["grpc-message"] ?? "")),
      retryAfterMs: trailers[hintName] as string | undefined,
      messages: messagesIn(body, 0x80),
    };
  }
  if (type.startsWith("application/grpc")) {
    return {
      http,
      code: grpcCodes[String(headers["grpc-status"])],
      message: decodeURIComponent(String(headers["grpc-message"] ?? "")),
      retryAfterMs: hint,
      messages: unframed(body),
    };
  }
  if (type.startsWith("application/connect")) {
    const end = lastFrame(body, 0x02);
    const { error, metadata } = (end === undefined ? {} : JSON.parse(end.toString())) as {
      error?: { code: string; message?: string };
      metadata?: Record<string, string[]>;
    };
    return {
      http,
      code: end === undefined ? undefined : (error?.code ?? "ok"),
      message: error?.message ?? "",
      retryAfterMs: metadata?.[hintName]?.[0],
      messages: messagesIn(body, 0x02),
    };
  }
  if (http === 200) return { http, code: "ok", message: "", retryAfterMs: hint, messages: [body] };
  const isJson = headers["content-type"] === "application/json";
  const { code, message = "" } = (isJson ? JSON.parse(body.toString()) : {}) as { code?: string; message?: string };
  return { http, code, message, retryAfterMs: hint, messages: [] };
}

function frames(body: Buffer): { flags: number; message: Buffer }[] {
  const found: { flags: number; message: Buffer }[] = [];
  for (let at = 0; at + 5 <= body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (end > body.length) break;
    found.push({ flags: body[at] as number, message: body.subarray(at + 5, end) });
    at = end;
  }
  return found;
}

function lastFrame(body: Buffer, flag: number): Buffer | undefined {
  return frames(body).find(({ flags }) => flags === flag)?.message;
}

function messagesIn(body: Buffer, endFlag: number): Buffer[] {
  return frames(body)
    .filter(({ flags }) => flags !== endFlag)
    .map(({ message }) => message);
}

function trailersIn(block: Buffer | undefined): Record<string, string> {
  const lines = block?.toString().split("\r\n").filter(Boolean) ?? [];
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

function callHttp1(url: string, { path, method = "POST", headers, body, endless, cutAfterBytes }: WebCall) {
  return new Promise<WebAnswer>((resolve) => {
    const chunks: Buffer[] = [];
    let http: number | undefined;
    let received: IncomingHttpHeaders = {};
    const request = requestHttp1(`${url}${path}`, { method, headers, agent: false });
    const settle = (): void => resolve({ http, headers: received, body: Buffer.concat(chunks) });
    request.on("error", settle);
    request.on("close", settle);
    request.on("response", (response) => {
      http = response.statusCode;
      received = response.headers;
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        if (Buffer.concat(chunks).length >= (cutAfterBytes ?? Number.POSITIVE_INFINITY)) request.destroy();
      });
      response.on("error", settle);
      response.on("end", () => {
        Object.assign(received, response.trailers);
        if (endless === true) request.destroy();
        settle();
      });
    });
    request.flushHeaders();
    void writeAll(request, body, endless === true);
  });
}

function callHttp2(url: string, { path, method = "POST", headers, body, endless, cutAfterBytes }: WebCall) {
  return new Promise<WebAnswer>((resolve) => {
    const session = openSession(url);
    const chunks: Buffer[] = [];
    const received: IncomingHttpHeaders = {};
    const stream = session.request({ ":method": method, ":path": path, ...headers });
    stream.on("error", () => {});
    stream.on("response", (head) => Object.assign(received, head));
    stream.on("trailers", (trailers) => Object.assign(received, trailers));
    stream.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      if (Buffer.concat(chunks).length >= (cutAfterBytes ?? Number.POSITIVE_INFINITY)) session.destroy();
    });
    stream.on("close", () => {
      const http = (received as Record<string, unknown>)[":status"] as number | undefined;
      session.destroy();
      resolve({ http, headers: received, body: Buffer.concat(chunks) });
    });
    void writeAll(stream, body, endless === true);
  });
}

async function writeAll(output: NodeJS.WritableStream, body: readonly Uint8Array[], endless: boolean): Promise<void> {
  for (const piece of body) {
    output.write(piece);
    if (body.length > 1) await new Promise((resolve) => setImmediate(resolve));
  }
  if (!endless) output.end();
}
