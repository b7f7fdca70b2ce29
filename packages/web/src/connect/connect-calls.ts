/** Calls in the Connect protocol, in binary: https://connectrpc.com/docs/protocol. */

import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { isWiceError, type WiceError } from "@wice/core";
import { abortable, httpStatusError, onAbort, rpcStatusError } from "@wice/core/transport";
import { broken, garbage, type RelayCalls, tooLate } from "./calls.ts";
import { checkedFetch } from "./checked-fetch.ts";
import { frameOf, readFrames } from "./frames.ts";
import type { ConnectSettings } from "./options.ts";

const compressedFlag = 0b01;
const endFlag = 0b10;

const retryHeader = "grpc-retry-pushback-ms";
const deadlineExceeded = 4;

/** Connect's names of gRPC's statuses, by number. */
const statusNames: readonly string[] = [
  "ok",
  "canceled",
  "unknown",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
];

/** How a call ends that fails, in JSON. */
interface Refusal {
  readonly code?: unknown;
  readonly message?: unknown;
}

interface EndOfStream {
  readonly error?: Refusal | null;
  readonly metadata?: Readonly<Record<string, readonly string[]>> | null;
}

export function createConnectCalls(settings: ConnectSettings): RelayCalls {
  const { baseUrl, where, clock } = settings;
  const fetch = checkedFetch(settings);

  const post = (
    { parent, name }: DescMethod,
    body: Uint8Array<ArrayBuffer>,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> =>
    fetch(`${baseUrl}/${parent.typeName}/${name}`, {
      method: "POST",
      headers: { ...headers, "connect-protocol-version": "1" },
      redirect: "error",
      ...{ body, signal },
    });
  const encode = <Desc extends DescMessage>(schema: Desc, message: MessageInitShape<Desc>): Uint8Array<ArrayBuffer> =>
    toBinary(schema, create(schema, message));
  const decode = <Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> => {
    try {
      return fromBinary(schema, bytes);
    } catch (cause) {
      throw garbage(where, cause);
    }
  };
  const refusalError = ({ code, message }: Refusal, pushback: string | null | undefined): WiceError => {
    const status = {
      status: statusNames.indexOf(String(code)),
      message: String(message ?? ""),
      ...(pushback != null && { pushback }),
    };
    return rpcStatusError(status, where) ?? garbage(where);
  };
  /** Why an answer is a failure: JSON, unless something on the way has answered. */
  const failureOf = async (response: Response, timeoutMs: number): Promise<WiceError> => {
    const { status, headers } = response;
    if (!/^application\/json\b/.test(headers.get("content-type") ?? ""))
      return httpStatusError(status, headers.get("retry-after") ?? "", where);
    const refusal = (await response.json()) as Refusal;
    if (refusal.code === statusNames[deadlineExceeded]) return tooLate(where, timeoutMs);
    return refusalError(refusal, headers.get(retryHeader));
  };
  const endOf = (data: Uint8Array): WiceError | undefined => {
    let end: EndOfStream;
    try {
      end = JSON.parse(new TextDecoder().decode(data)) as EndOfStream;
      const { error, metadata } = end;
      return error == null ? undefined : refusalError(error, metadata?.[retryHeader]?.[0]);
    } catch (cause) {
      throw garbage(where, cause);
    }
  };
  const typed = (error: unknown, signal: AbortSignal): unknown => {
    signal.throwIfAborted();
    return isWiceError(error) ? error : broken(where, error);
  };

  return {
    async unary(method, message, { signal, timeoutMs }) {
      signal?.throwIfAborted();
      const call = new AbortController();
      const forget = onAbort(signal, () => call.abort(signal?.reason));
      const timer = clock.schedule(timeoutMs, () => call.abort(tooLate(where, timeoutMs)));
      const headers = { "content-type": "application/proto", "connect-timeout-ms": `${timeoutMs}` };
      const ask = async (): Promise<Uint8Array> => {
        const response = await post(method, encode(method.input, message), headers, call.signal);
        if (!response.ok) throw await failureOf(response, timeoutMs);
        return new Uint8Array(await response.arrayBuffer());
      };
      try {
        return decode(method.output, await abortable(ask(), call.signal));
      } catch (error) {
        throw typed(error, call.signal);
      } finally {
        timer.cancel();
        forget();
      }
    },

    async *stream(method, message, signal) {
      try {
        signal.throwIfAborted();
        const headers = { "content-type": "application/connect+proto" };
        const asking = post(method, frameOf(encode(method.input, message)), headers, signal);
        const response = await abortable(asking, signal);
        if (!response.ok || response.body === null) throw await failureOf(response, 0);
        for await (const { flags, data } of readFrames(response.body, signal)) {
          if (flags & compressedFlag) throw garbage(where);
          if (flags & endFlag) {
            const failure = endOf(data);
            if (failure === undefined) return;
            throw failure;
          }
          yield decode(method.output, data);
        }
        throw broken(where, undefined);
      } catch (error) {
        throw typed(error, signal);
      }
    },
  };
}
