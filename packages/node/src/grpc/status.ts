/** From what gRPC, HTTP and HTTP/2 say about a failed call to a {@link WiceError}. */

import { constants, type IncomingHttpHeaders } from "node:http2";
import { WiceError } from "@wice/core";
import { httpStatusError, noSignalingServer, rpcStatusError } from "@wice/core/transport";

/** The error of a gRPC status, or undefined for OK. `where` names the server for people. */
export function statusError(trailers: IncomingHttpHeaders, where: string): WiceError | undefined {
  const text = single(trailers["grpc-status"]);
  const pushback = single(trailers["grpc-retry-pushback-ms"]);
  return rpcStatusError(
    {
      status: /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN,
      message: percentDecoded(single(trailers["grpc-message"])),
      ...(pushback !== "" && { pushback }),
    },
    where,
  );
}

/** The error of an answer that is not gRPC's, or undefined where it is. */
export function responseError(headers: IncomingHttpHeaders, status: number, where: string): WiceError | undefined {
  const type = single(headers["content-type"]);
  if (status === 200 && /^application\/grpc(\+proto)?(\s*;.*)?$/i.test(type)) return undefined;
  if (status === 200 && type === "" && headers["grpc-status"] !== undefined) return undefined;
  if (status === 200) return new WiceError("protocol", `${where} did not answer in gRPC; ${noSignalingServer}`);
  return httpStatusError(status, single(headers["retry-after"]), where);
}

/** The error of a stream that was reset, or that ended without a status. */
export function resetError(resetCode: number, where: string): WiceError {
  if (resetCode === constants.NGHTTP2_ENHANCE_YOUR_CALM) {
    return new WiceError("resource-exhausted", `${where} asks for fewer calls`, { retryable: true });
  }
  const how = resetNames[resetCode] ?? `reset the call (HTTP/2 error ${resetCode})`;
  return new WiceError("unavailable", `${where} ${how}`, { retryable: true });
}

const resetNames: Readonly<Record<number, string>> = {
  [constants.NGHTTP2_NO_ERROR]: "ended the call without an answer",
  [constants.NGHTTP2_CANCEL]: "cancelled the call",
  [constants.NGHTTP2_REFUSED_STREAM]: "takes no new calls now",
};

function single(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? "";
}

/** Percent signs that encode nothing stay as they are. */
function percentDecoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
