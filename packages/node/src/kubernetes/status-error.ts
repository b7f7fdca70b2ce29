/** From what the API server answers to a {@link WiceError} that says what is missing, and what to do. */

import { WiceError } from "@wice/core";
import { group, plural } from "./resource.ts";

/** The part of a `metav1.Status` that we look at. */
export interface ApiStatus {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly kind?: string;
    readonly name?: string;
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly { readonly reason?: string; readonly field?: string }[];
  };
}

/** What was asked for. */
export interface ApiCall {
  readonly verb: "create" | "list" | "watch" | "delete";
  readonly namespace: string;
  /** The API server's address for people. */
  readonly where: string;
}

/** An answer that refuses. */
export interface Refusal {
  readonly httpStatus: number;
  /** The value of the header `Retry-After`, or "". */
  readonly retryAfter: string;
  /** Undefined where the body is none: a proxy's answer. */
  readonly status: ApiStatus | undefined;
}

export function statusError(refusal: Refusal, call: ApiCall): WiceError {
  const { status, retryAfter } = refusal;
  const code = status?.code ?? refusal.httpStatus;
  const message = status?.message ?? "";
  if (/request is too large|entity too large|trying to send message larger/i.test(message)) return tooLarge();
  if (code === 403) return forbidden(status, message, call);
  const known = texts[code];
  if (known !== undefined) return known(call, status);
  const retryAfterMs = waitMs(retryAfter, status);
  if (code === 429) {
    return new WiceError("resource-exhausted", `the API server at ${call.where} asks for fewer requests`, {
      retryable: true,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
  // 409: another request was faster, for example with the count of a quota. 410: begin anew.
  const passing = code >= 500 || code === 408 || code === 409 || code === 410;
  const words = printable(status?.reason ?? "");
  return new WiceError(
    passing ? "unavailable" : "protocol",
    `the API server at ${call.where} answered ${code}${words === "" ? "" : ` (${words})`} to ${call.verb} ${plural}`,
    { retryable: passing, ...(passing && retryAfterMs !== undefined && { retryAfterMs }) },
  );
}

/** Whether a list or a watch must start anew: the history that it asks for is gone, or has not been written. */
export function isExpired({ httpStatus, status }: Pick<Refusal, "httpStatus" | "status">): boolean {
  const code = status?.code ?? httpStatus;
  const fromTheFuture = code === 504 && /too large resource version/i.test(status?.message ?? "");
  return code === 410 || status?.reason === "Expired" || fromTheFuture;
}

/** Whether the API server is too old to select by the field that we select by. */
export function isUnknownField({ httpStatus, status }: Refusal): boolean {
  return httpStatus === 400 && /field label not supported|is not a known field selector/i.test(status?.message ?? "");
}

/**
 * Whether an API server that has just started could have said so by mistake: until it has read the cluster's Roles and
 * custom resources, it knows of none.
 */
export function isDoubtful({ httpStatus, status }: Refusal, verb: ApiCall["verb"]): boolean {
  if (httpStatus === 403) return /cannot \w+ resource/.test(status?.message ?? "");
  return httpStatus === 401 || (httpStatus === 404 && verb !== "delete" && status?.details?.kind !== "namespaces");
}

/** A refusal that the API server will not stand by. */
export function startingError(error: WiceError, where: string): WiceError {
  const text = `the API server at ${where} is not ready yet, and refuses for now: ${error.message}`;
  return new WiceError("unavailable", text, { cause: error, retryable: true });
}

const texts: Readonly<Record<number, (call: ApiCall, status: ApiStatus | undefined) => WiceError>> = {
  401: ({ where }) =>
    new WiceError(
      "unauthenticated",
      `the API server at ${where} does not take our credentials: the token or certificate has expired, or is of another cluster`,
    ),
  404: ({ namespace, where }, status) =>
    status?.details?.kind === "namespaces"
      ? new WiceError(
          "unsupported",
          `there is no namespace ${namespace}; make it: kubectl create namespace ${namespace}`,
        )
      : new WiceError(
          "unsupported",
          `the cluster at ${where} does not know ${plural}.${group}; install them: npx wice kubernetes manifests --namespace ${namespace} | kubectl apply -f -`,
        ),
  405: ({ where }) => new WiceError("unsupported", `what answers at ${where} is no Kubernetes API server`),
  413: tooLarge,
  422: ({ where }, status) => {
    const fields = (status?.details?.causes ?? []).map(({ field }) => printable(field ?? "")).filter((f) => f !== "");
    const which = fields.length === 0 ? "" : `: ${[...new Set(fields)].join(", ")}`;
    return new WiceError(
      "invalid-envelope",
      `the schema of ${plural}.${group} at ${where} refuses the envelope${which}; is its CRD of another version?`,
    );
  },
};

function tooLarge(): WiceError {
  return new WiceError("too-large", "the envelope is larger than the cluster takes in one object");
}

function forbidden(status: ApiStatus | undefined, message: string, { verb, namespace, where }: ApiCall): WiceError {
  const quota = /exceeded quota: ([^,\s]+)/.exec(message);
  if (quota !== null) {
    const name = printable(quota[1] ?? "");
    return new WiceError(
      "resource-exhausted",
      `the ResourceQuota ${name} of the namespace ${namespace} allows no more ${plural} now; raise it, or wait for others to be taken`,
      { retryable: true },
    );
  }
  if ((status?.details?.causes ?? []).some(({ reason }) => reason === "NamespaceTerminating")) {
    return new WiceError("unavailable", `the namespace ${namespace} is being deleted, and takes nothing new`);
  }
  const user = /User "([^"]*)"/.exec(message)?.[1];
  if (user === "system:anonymous") {
    return new WiceError(
      "unauthenticated",
      `the API server at ${where} got no credentials from us; check the kubeconfig`,
    );
  }
  if (/cannot \w+ resource/.test(message)) {
    const who = user === undefined ? "our account" : printable(user);
    return new WiceError(
      "permission-denied",
      `${who} may not ${verb} ${plural}.${group} in the namespace ${namespace}: its Role lacks the verb "${verb}", or no RoleBinding gives it the Role; npx wice kubernetes manifests prints both`,
    );
  }
  return new WiceError(
    "permission-denied",
    `the API server at ${where} forbids to ${verb} ${plural}: ${printable(message)}`,
  );
}

function waitMs(retryAfter: string, status: ApiStatus | undefined): number | undefined {
  const asked = /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : status?.details?.retryAfterSeconds;
  return asked !== undefined && asked > 0 && asked < 1_000_000 ? 1000 * asked : undefined;
}

/** Fit for one line of a log. */
export function printable(text: string): string {
  return text.replace(/[^\p{L}\p{N}\p{P}\p{S}\p{Zs}]+/gu, " ").slice(0, 200);
}
