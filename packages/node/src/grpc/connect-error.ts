/** Why there is no connection to a server, in words that say what to do. */

import { WiceError, type WiceErrorCode } from "@wice/core";
import type { GrpcEndpoint } from "./endpoint.ts";

/** How far a connection had come. */
export type ConnectPhase = "tcp" | "tls" | "http2" | "ready";

/** The {@link WiceError} of a socket's, TLS's or HTTP/2's error. Passing ones are `unavailable` and retryable. */
export function connectError(endpoint: GrpcEndpoint, phase: ConnectPhase, cause: unknown): WiceError {
  const code = errorCode(cause);
  const lasting = phase === "tls" ? tlsFlaw(endpoint, code) : undefined;
  if (lasting !== undefined) return new WiceError(lasting.code, lasting.message, { cause });
  return new WiceError("unavailable", passing(endpoint, phase, code), { cause, retryable: true });
}

/** The connection took longer than it may. */
export function connectTimeout(endpoint: GrpcEndpoint, phase: ConnectPhase, timeoutMs: number): WiceError {
  return new WiceError("unavailable", `${timeoutTexts(endpoint)[phase]} within ${timeoutMs} ms`, { retryable: true });
}

/** TLS works, but the server did not agree to HTTP/2. */
export function noHttp2(endpoint: GrpcEndpoint): WiceError {
  return new WiceError("protocol", `${endpoint.authority} speaks TLS, but not HTTP/2 (ALPN h2), which gRPC needs`);
}

function passing(endpoint: GrpcEndpoint, phase: ConnectPhase, code: string): string {
  const { authority, host } = endpoint;
  const told = texts[code];
  if (told !== undefined && phase !== "http2") return told(authority, host);
  const why = code === "" ? "" : ` (${code})`;
  if (phase === "tcp") return `cannot connect to ${authority}${why}`;
  if (phase === "tls") return `${authority} broke off the TLS handshake${why}; ${plainHint(endpoint)}`;
  if (phase === "http2") {
    return endpoint.tls
      ? `${authority} broke off before it spoke HTTP/2${why}`
      : `${authority} does not speak plain HTTP/2${why}; if it wants TLS, write grpcs://${authority}`;
  }
  return `the connection to ${authority} broke${why}`;
}

const texts: Readonly<Record<string, (authority: string, host: string) => string>> = {
  ECONNREFUSED: (authority) => `nothing listens on ${authority}; start the server there, or correct the URL`,
  ENOTFOUND: (authority, host) => `no address is known for ${host} (${authority}); check the name in the URL`,
  EAI_AGAIN: (authority, host) => `the name ${host} (${authority}) cannot be looked up now; check the network and DNS`,
  ETIMEDOUT: (authority) => `${authority} does not answer (ETIMEDOUT); check the network and firewalls`,
  EHOSTUNREACH: (authority) => `there is no route to ${authority} (EHOSTUNREACH); check the network and firewalls`,
  ENETUNREACH: (authority) => `there is no route to ${authority} (ENETUNREACH); check the network`,
};

function timeoutTexts({ authority, tls }: GrpcEndpoint): Readonly<Record<ConnectPhase, string>> {
  return {
    tcp: `no connection to ${authority}`,
    tls: `${authority} accepted the connection, but finished no TLS handshake`,
    http2: `${authority} accepted the connection, but sent no HTTP/2 settings${tls ? "" : "; if it wants TLS, use grpcs:;"}`,
    ready: `no answer from ${authority}`,
  };
}

/** What only another URL, other options or another certificate can mend. */
function tlsFlaw(endpoint: GrpcEndpoint, code: string): { code: WiceErrorCode; message: string } | undefined {
  const { authority } = endpoint;
  if (/ALPN|NO_APPLICATION_PROTOCOL/.test(code)) return noHttp2(endpoint);
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNEXPECTED_MESSAGE|HTTP_REQUEST|BAD_RECORD_TYPE/.test(code)) {
    return { code: "protocol", message: `${authority} does not speak TLS; ${plainHint(endpoint)}` };
  }
  if (/^(CERT_|ERR_TLS_CERT|UNABLE_TO_|CRL_)|SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_CA/.test(code)) {
    const remedy = "trust its authority with the `ca` option, or accept any certificate with ?skip_verify=true";
    return { code: "unavailable", message: `the certificate of ${authority} is refused (${code}); ${remedy}` };
  }
  return undefined;
}

function plainHint({ authority }: GrpcEndpoint): string {
  return `for a server without TLS, write grpc://${authority}?insecure=true`;
}

function errorCode(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  // Several addresses were tried: the first failure speaks for all.
  if (error instanceof AggregateError && error.errors.length > 0) return errorCode(error.errors[0]);
  return "code" in error && typeof error.code === "string" ? error.code : "";
}
