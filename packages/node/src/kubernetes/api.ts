/** Requests to the API server: who we are, time limits, and a second try where the first could not know better. */

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { WiceError } from "@wice/core";
import { onAbort } from "@wice/core/transport";
import { type Cluster, openCluster } from "./cluster.ts";
import { connectError } from "./connect-error.ts";
import type { KubernetesSettings } from "./options.ts";
import { resourcePath } from "./resource.ts";
import { type ApiCall, type ApiStatus, type Refusal, statusError } from "./status-error.ts";

export interface ApiRequest {
  readonly verb: ApiCall["verb"];
  /** Of one object. */
  readonly name?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Only the metadata of what is answered. */
  readonly metadataOnly?: boolean;
  readonly signal: AbortSignal;
}

export interface ApiAnswer {
  readonly body: unknown;
  /** The API server's own time, in milliseconds since 1970, where it told. */
  readonly serverTimeMs: number | undefined;
}

/** A request that was answered with a refusal. */
export interface ApiRefused {
  readonly refusal: Refusal;
  readonly error: WiceError;
}

export interface Api {
  /** Rejects with a {@link WiceError}, or with the signal's reason. */
  call(request: ApiRequest): Promise<ApiAnswer | ApiRefused>;
  /** The answer as it comes. The API server's headers are here; the caller ends it. */
  stream(request: ApiRequest): Promise<IncomingMessage | ApiRefused>;
  /** What an error inside of a stream means. */
  errorOf(refusal: Refusal, verb: ApiCall["verb"]): WiceError;
  close(): void;
}

export function isRefused(answer: object): answer is ApiRefused {
  return "refusal" in answer;
}

/** Short requests share so many connections; each watch has its own. */
const maxConnections = 8;
const methods = { create: "POST", list: "GET", watch: "GET", delete: "DELETE" } as const;

export function createApi({ endpoint, requestTimeoutMs }: KubernetesSettings): Api {
  let opened: Promise<Cluster> | undefined;
  let known: Cluster | undefined;
  const pools = {
    "https:": {
      call: new Agent({ keepAlive: true, maxSockets: maxConnections }),
      watch: new Agent({ keepAlive: true }),
    },
    "http:": {
      call: new HttpAgent({ keepAlive: true, maxSockets: maxConnections }),
      watch: new HttpAgent({ keepAlive: true }),
    },
  };

  const cluster = async (): Promise<Cluster> => {
    opened ??= openCluster(endpoint);
    try {
      known = await opened;
      return known;
    } catch (error) {
      opened = undefined;
      throw error;
    }
  };
  const callOf = (verb: ApiCall["verb"]): ApiCall => ({
    verb,
    namespace: known?.namespace ?? "",
    where: known?.where ?? "",
  });

  /** Resolves with the headers of the answer. */
  const send = async (request: ApiRequest): Promise<IncomingMessage> => {
    const { verb, name, query = {}, body, metadataOnly = false, signal } = request;
    const { server, where, namespace, proxied, authentication } = await cluster();
    const { agent, headers, ...tls } = await authentication();
    signal.throwIfAborted();
    const text = body === undefined ? undefined : JSON.stringify(body);
    const base = server.pathname.replace(/\/$/, "");
    const search = new URLSearchParams(query).toString();
    const secure = server.protocol === "https:";
    const options: RequestOptions = {
      ...tls,
      method: methods[verb],
      host: server.hostname.replace(/^\[|\]$/g, ""),
      port: server.port || (secure ? 443 : 80),
      path: `${base}${resourcePath(namespace, name)}${search === "" ? "" : `?${search}`}`,
      agent: proxied ? agent : pools[secure ? "https:" : "http:"][verb === "watch" ? "watch" : "call"],
      headers: {
        ...headers,
        accept: metadataOnly ? metadataAccept[verb] : "application/json",
        "user-agent": "wice",
        ...(text !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
      },
    };
    return await new Promise((resolve, reject) => {
      const outgoing = (secure ? httpsRequest : httpRequest)(options);
      const forget = onAbort(signal, () =>
        outgoing.destroy(signal.reason instanceof Error ? signal.reason : undefined),
      );
      outgoing.once("socket", (socket) => socket.setKeepAlive(true, 30_000));
      outgoing.once("response", (incoming) => {
        // A late error of the connection is the answer's, not the request's.
        outgoing.on("error", () => {});
        incoming.once("close", forget);
        resolve(incoming);
      });
      outgoing.once("error", (cause) => {
        forget();
        if (signal.aborted) return reject(signal.reason);
        const error = connectError(where, cause);
        reject(outgoing.reusedSocket && error.retryable ? new StaleConnection(error) : error);
      });
      outgoing.end(text);
    });
  };

  /** A kept connection may have been closed meanwhile, and a token replaced: neither is worth telling anybody. */
  const sendTwice = async (request: ApiRequest): Promise<IncomingMessage> => {
    let incoming: IncomingMessage;
    try {
      incoming = await send(request);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      incoming = await send(request).catch((again: unknown) => {
        throw again instanceof StaleConnection ? again.why : again;
      });
    }
    if (incoming.statusCode !== 401) return incoming;
    incoming.resume();
    opened = undefined;
    return await send(request);
  };

  const refused = async (incoming: IncomingMessage, verb: ApiCall["verb"]): Promise<ApiRefused> => {
    const refusal: Refusal = {
      httpStatus: incoming.statusCode ?? 0,
      retryAfter: incoming.headers["retry-after"] ?? "",
      status: parseStatus(await readText(incoming)),
    };
    return { refusal, error: statusError(refusal, callOf(verb)) };
  };

  /** The signal, or the end of the time that a request may take. */
  const limited = async <T>(request: ApiRequest, run: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const tooSlow = new AbortController();
    const timer = setTimeout(() => {
      const text = `the API server at ${known?.where ?? ""} did not answer within ${requestTimeoutMs} ms`;
      tooSlow.abort(new WiceError("unavailable", text, { retryable: true }));
    }, requestTimeoutMs);
    try {
      return await run(AbortSignal.any([request.signal, tooSlow.signal]));
    } catch (error) {
      request.signal.throwIfAborted();
      throw tooSlow.signal.aborted ? tooSlow.signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    call: (request) =>
      limited(request, async (signal) => {
        const incoming = await sendTwice({ ...request, signal });
        const status = incoming.statusCode ?? 0;
        if (status < 200 || status > 299) return await refused(incoming, request.verb);
        const text = await readText(incoming);
        const serverTimeMs = Date.parse(incoming.headers.date ?? "");
        return { body: parseAnswer(text), serverTimeMs: Number.isNaN(serverTimeMs) ? undefined : serverTimeMs };
      }),
    async stream(request) {
      // The time limit is over with the headers; the request's own signal goes on to end the stream.
      const incoming = await limited(request, async (signal) => await sendTwice({ ...request, signal }));
      if (incoming.statusCode === 200) return incoming;
      return await limited(request, () => refused(incoming, request.verb));
    },
    errorOf: (refusal, verb) => statusError(refusal, callOf(verb)),
    close() {
      for (const { call, watch } of Object.values(pools)) {
        call.destroy();
        watch.destroy();
      }
    },
  };

  /** A broken body is a broken connection. */
  async function readText(incoming: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
    } catch (cause) {
      throw connectError(known?.where ?? "", cause);
    }
    return Buffer.concat(chunks).toString("utf8");
  }

  function parseAnswer(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new WiceError("protocol", `what answers at ${known?.where ?? ""} is no Kubernetes API server`, { cause });
    }
  }
}

const partial = (kind: string): string => `application/json;as=${kind};g=meta.k8s.io;v=v1`;
const metadataAccept = {
  create: partial("PartialObjectMetadata"),
  delete: partial("PartialObjectMetadata"),
  list: partial("PartialObjectMetadataList"),
  watch: partial("PartialObjectMetadata"),
} as const;

/** A connection from the pool broke before it brought any answer. */
class StaleConnection extends Error {
  readonly why: WiceError;

  constructor(why: WiceError) {
    super(why.message);
    this.why = why;
  }
}

function parseStatus(text: string): ApiStatus | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as ApiStatus) : undefined;
  } catch {
    return undefined;
  }
}
