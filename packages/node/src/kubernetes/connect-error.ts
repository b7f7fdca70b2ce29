/** Why the API server cannot be talked to, in words that say what to do. */

import { WiceError } from "@wice/core";

/** The {@link WiceError} of a socket's or TLS's error. `where` is the API server's address for people. */
export function connectError(where: string, cause: unknown): WiceError {
  const code = errorCode(cause);
  if (/^(CERT_|ERR_TLS_CERT|UNABLE_TO_|CRL_)|SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_CA/.test(code)) {
    const remedy = "correct certificate-authority-data, or tls-server-name, in the kubeconfig";
    return new WiceError(
      "unavailable",
      `the certificate of the API server at ${where} is refused (${code}); ${remedy}`,
      {
        cause,
      },
    );
  }
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/.test(code)) {
    return new WiceError(
      "protocol",
      `what listens on ${where} does not speak TLS; correct the server of the kubeconfig`,
      {
        cause,
      },
    );
  }
  const text = texts[code] ?? `the connection to the API server at ${where} broke${code === "" ? "" : ` (${code})`}`;
  return new WiceError("unavailable", text.replace("{where}", where), { cause, retryable: true });
}

const texts: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens on {where}: the API server is down, or the kubeconfig names another address",
  ENOTFOUND: "no address is known for the API server {where}; check the server of the kubeconfig",
  EAI_AGAIN: "the name of the API server {where} cannot be looked up now; check the network and DNS",
  ETIMEDOUT: "the API server at {where} does not answer (ETIMEDOUT); check the network and firewalls",
  EHOSTUNREACH: "there is no route to the API server at {where} (EHOSTUNREACH); check the network and firewalls",
  ENETUNREACH: "there is no route to the API server at {where} (ENETUNREACH); check the network",
};

function errorCode(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  // Several addresses were tried: the first failure speaks for all.
  if (error instanceof AggregateError && error.errors.length > 0) return errorCode(error.errors[0]);
  return "code" in error && typeof error.code === "string" ? error.code : "";
}
