/** `fetch` that tells in words why nothing came, and that it was no relay that answered. */

import { WiceError } from "@wice/core";
import { httpStatusError, noSignalingServer } from "@wice/core/transport";
import { boundedBody } from "./bounded-body.ts";
import type { ConnectSettings } from "./options.ts";

export function checkedFetch({ fetch, protocol, where, secure, maxEnvelopeBytes }: ConnectSettings): typeof fetch {
  return async (input, init) => {
    let response: Response;
    try {
      response = await fetch(input, init);
    } catch (cause) {
      init?.signal?.throwIfAborted();
      throw unreachable(where, secure, cause);
    }
    const type = typeOf(response.headers);
    if (type === typeOf(new Headers(init?.headers)))
      return boundedBody(response, /connect|grpc-web/.test(type), maxEnvelopeBytes, where);
    if (type === "application/json" && protocol === "connect" && !response.ok) {
      const refusal = await readRefusal(boundedBody(response, false, maxEnvelopeBytes, where));
      if (refusal !== undefined) return refusal;
    } else {
      await response.body?.cancel().catch(() => {});
    }
    if (!response.ok) throw httpStatusError(response.status, response.headers.get("retry-after") ?? "", where);
    const name = protocol === "connect" ? "Connect" : "gRPC-Web";
    throw new WiceError(
      "protocol",
      `${where} did not answer in ${name}: ${noSignalingServer} A proxy or a login page of the network may have answered instead`,
    );
  };
}

/** The content type, which of a relay's answer is that of the question; `+proto` goes without saying in gRPC-Web. */
function typeOf(headers: Headers): string {
  const [type = ""] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  return type.trim().replace(/^(application\/grpc-web)\+proto$/, "$1");
}

/** A copy of a failed answer that says why in Connect's terms. Other servers have errors in JSON, too. */
async function readRefusal(response: Response): Promise<Response | undefined> {
  const { status, statusText, headers } = response;
  const text = await response.text();
  try {
    const { code } = JSON.parse(text) as { code?: unknown };
    return typeof code === "string" ? new Response(text, { status, statusText, headers }) : undefined;
  } catch {
    return undefined;
  }
}

/** Browsers do not tell pages why a request failed: the one text names what it can be. */
function unreachable(where: string, secure: boolean, cause: unknown): WiceError {
  if (globalThis.navigator?.onLine === false) {
    return new WiceError("unavailable", `${where} cannot be reached: this device is offline`, {
      cause,
      retryable: true,
    });
  }
  if (!secure && globalThis.location?.protocol === "https:" && !isLoopback(where)) {
    const remedy = "give the relay a certificate and write https:";
    return new WiceError("unavailable", `a page loaded over https may not call http://${where}; ${remedy}`, { cause });
  }
  const certificate = secure ? ", its certificate is refused" : "";
  return new WiceError(
    "unavailable",
    `${where} cannot be reached: nothing listens there${certificate}, or it does not allow the origin of this page`,
    { cause, retryable: true },
  );
}

function isLoopback(host: string): boolean {
  return /^(([^.]+\.)*localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host);
}
