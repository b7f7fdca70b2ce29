/** Requests to the API server: who we are, time limits, and a second try where the first could not know better. */

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { isWiceError, WiceError } from "@wice/core";
import { abortable, onAbort } from "@wice/core/transport";
import { type Authentication, type Cluster, openCluster } from "./cluster.ts";
import { connectError } from "./connect-error.ts";
import type { KubernetesSettings } from "./options.ts";
import { resourcePath } from "./resource.ts";
import { type ApiCall, type ApiStatus, isDoubtful, type Refusal, startingError, statusError } from "./status-error.ts";

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
  readonly body: object;
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
/** For how long an API server may be starting, before its refusals are believed all the same. */
const startingMs = 60_000;
/** Of one answer: some hundred of the largest envelopes. */
const maxAnswerBytes = 33_554_432;
const methods = { create: "POST", list: "GET", watch: "GET", delete: "DELETE" } as const;

export function createApi({ endpoint, requestTimeoutMs }: KubernetesSettings): Api {
  let opened: Promise<Cluster> | undefined;
  let known: Cluster | undefined;
  /** Our credentials were taken. */
  let hasWorked = false;
  /** Since when it has been refusing without being ready. */
  let doubtSinceMs: number | undefined;
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
      throw ofTheMoment(error);
    }
  };
  /** A kubeconfig that is being written, a credential plugin without network: what has worked will work again. */
  const ofTheMoment = (error: unknown): unknown =>
    hasWorked && isWiceError(error)
      ? new WiceError("unavailable", error.message, { cause: error, retryable: true })
      : error;
  /** At the latest when the signal aborts: a credential plugin may take for ever. */
  const credentials = async ({ authentication }: Cluster, signal: AbortSignal): Promise<Authentication> => {
    try {
      return await abortable(authentication(), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw ofTheMoment(error);
    }
  };
  const callOf = (verb: ApiCall["verb"]): ApiCall => ({
    verb,
    namespace: known?.namespace ?? "",
    where: known?.where ?? "",
  });

  /** Resolves with the headers of the answer. @param anonymousPath asked for without credentials, in place of envelopes */
  const send = async (request: ApiRequest, anonymousPath?: string): Promise<IncomingMessage> => {
    const { verb, name, query = {}, body, metadataOnly = false, signal } = request;
    const opening = await cluster();
    const { server, where, namespace, proxied } = opening;
    const { agent, headers, cert, key, auth, ...rest } = await credentials(opening, signal);
    const ours = anonymousPath === undefined ? { headers, cert, key, auth } : {};
    signal.throwIfAborted();
    const text = body === undefined ? undefined : JSON.stringify(body);
    const base = server.pathname.replace(/\/$/, "");
    const search = new URLSearchParams(query).toString();
    const secure = server.protocol === "https:";
    const options: RequestOptions = {
      ...rest,
      ...ours,
      method: methods[verb],
      host: server.hostname.replace(/^\[|\]$/g, ""),
      port: server.port || (secure ? 443 : 80),
      path: `${base}${anonymousPath ?? resourcePath(namespace, name)}${search === "" ? "" : `?${search}`}`,
      agent: proxied ? agent : pools[secure ? "https:" : "http:"][verb === "watch" ? "watch" : "call"],
      headers: {
        ...ours.headers,
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
    await cluster();
    const used = opened;
    let incoming: IncomingMessage;
    try {
      incoming = await send(request);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      incoming = await send(request).catch((again: unknown) => {
        throw again instanceof StaleConnection ? again.why : again;
      });
    }
    if (incoming.statusCode !== 401) {
      hasWorked = true;
      return incoming;
    }
    incoming.resume();
    // Another call may have found that, too, and has read them anew.
    if (opened === used) opened = undefined;
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

  /** Everybody may ask, once the Roles are known; who must not, in hardened clusters, gets 401, and is to believe what it is told. */
  const isReady = async (signal: AbortSignal): Promise<boolean> => {
    const incoming = await send({ verb: "list", signal }, "/readyz");
    incoming.resume();
    return incoming.statusCode === 200 || incoming.statusCode === 401;
  };

  /** The answer, or a refusal that the API server stands by, or that it will not stand by: a retryable one. */
  const ask = async (request: ApiRequest): Promise<IncomingMessage | ApiRefused> => {
    const first = await sendTwice(request);
    if (isGood(first)) return first;
    const refusal = await refused(first, request.verb);
    if (!isDoubtful(refusal.refusal, request.verb)) return refusal;
    if (!(await isReady(request.signal))) {
      const now = performance.now();
      doubtSinceMs ??= now;
      if (now - doubtSinceMs > startingMs) return refusal;
      return { ...refusal, error: startingError(refusal.error, known?.where ?? "") };
    }
    doubtSinceMs = undefined;
    // It may have become ready in between.
    const second = await send(request);
    return isGood(second) ? second : await refused(second, request.verb);
  };

  /** The signal, or the end of the time that a request may take. */
  const limited = async <T>(request: ApiRequest, run: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    // Loading the library is our time, and not the API server's.
    await abortable(cluster(), request.signal);
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
        const incoming = await ask({ ...request, signal });
        if (isRefused(incoming)) return incoming;
        const text = await readText(incoming);
        const serverTimeMs = Date.parse(incoming.headers.date ?? "");
        return { body: parseAnswer(text), serverTimeMs: Number.isNaN(serverTimeMs) ? undefined : serverTimeMs };
      }),
    // The time limit is over with the headers; the request's own signal goes on to end the stream.
    stream: (request) => limited(request, async (signal) => await ask({ ...request, signal })),
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
    let bytes = 0;
    try {
      for await (const chunk of incoming) {
        chunks.push(chunk as Buffer);
        bytes += (chunk as Buffer).length;
        if (bytes > maxAnswerBytes) break;
      }
    } catch (cause) {
      throw connectError(known?.where ?? "", cause);
    }
    if (bytes > maxAnswerBytes) {
      throw new WiceError(
        "too-large",
        `the API server at ${known?.where ?? ""} answered with over ${maxAnswerBytes} bytes`,
      );
    }
    return Buffer.concat(chunks).toString("utf8");
  }

  function parseAnswer(text: string): object {
    try {
      const answer: unknown = JSON.parse(text);
      if (typeof answer === "object" && answer !== null) return answer;
    } catch {
      // Said below.
    }
    throw new WiceError("protocol", `what answers at ${known?.where ?? ""} is no Kubernetes API server`);
  }
}

function isGood({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode <= 299;
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
